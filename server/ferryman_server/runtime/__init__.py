"""Runs a bundle's graphs for the engine, on ONNX Runtime."""

from ferryman_server.runtime.errors import DeviceError, VerificationError
from ferryman_server.runtime.onnx import OnnxRuntime
from ferryman_server.runtime.session import Device

__all__ = ["Device", "DeviceError", "OnnxRuntime", "VerificationError"]
