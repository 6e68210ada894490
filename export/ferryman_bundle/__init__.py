"""The bundle: what the exporter writes and the server reads, without torch and without ONNX."""

from ferryman_bundle.bundle import Bundle
from ferryman_bundle.errors import BundleError
from ferryman_bundle.manifest import Manifest
from ferryman_bundle.state import StateKind, StateTensor

__all__ = ["Bundle", "BundleError", "Manifest", "StateKind", "StateTensor"]
