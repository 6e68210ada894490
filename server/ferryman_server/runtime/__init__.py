"""Runs a bundle's graphs for the engine, on ONNX Runtime."""

from typing import Final

import onnxruntime

from ferryman_server.runtime.errors import DeviceError, NoScorerError, VerificationError
from ferryman_server.runtime.onnx import OnnxRuntime
from ferryman_server.runtime.scored import Scored
from ferryman_server.runtime.scorer import GRAPH as SCORER
from ferryman_server.runtime.scorer import Scorer
from ferryman_server.runtime.session import PROVIDERS, Device

VERSION: Final[str] = onnxruntime.__version__
"""Of ONNX Runtime. Its packages for CPUs and for GPUs have different names, the module has one."""

__all__ = [
    "PROVIDERS",
    "SCORER",
    "VERSION",
    "Device",
    "DeviceError",
    "NoScorerError",
    "OnnxRuntime",
    "Scored",
    "Scorer",
    "VerificationError",
]
