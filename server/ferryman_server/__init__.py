"""The ferryman server: a decoding engine with continuous batching, behind gRPC."""

import os

# ONNX Runtime reads this once, when it is first imported; nothing here may report home.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
