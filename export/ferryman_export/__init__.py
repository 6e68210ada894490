"""From a checkpoint in torch to a bundle that carries its proof."""

import os

# ONNX Runtime writes telemetry files when it is imported, unless it is told not to before.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
