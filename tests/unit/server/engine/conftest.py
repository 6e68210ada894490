"""What the engine's tests share."""

from __future__ import annotations

import sys
from pathlib import Path

# The toy model is a module of its own, which --import-mode=importlib does not look for.
sys.path.insert(0, str(Path(__file__).parent))
