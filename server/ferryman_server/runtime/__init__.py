"""Runs a bundle's graphs for the engine, on ONNX Runtime."""

from ferryman_server.runtime.errors import DeviceError, NoScorerError, VerificationError
from ferryman_server.runtime.onnx import OnnxRuntime
from ferryman_server.runtime.scored import Scored
from ferryman_server.runtime.scorer import GRAPH as SCORER
from ferryman_server.runtime.scorer import Scorer
from ferryman_server.runtime.session import Device

__all__ = [
    "SCORER",
    "Device",
    "DeviceError",
    "NoScorerError",
    "OnnxRuntime",
    "Scored",
    "Scorer",
    "VerificationError",
]
