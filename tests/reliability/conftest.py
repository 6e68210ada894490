"""What the tests of reliability share."""

from __future__ import annotations

import sys
from pathlib import Path

# Their attacks are modules of their own, which --import-mode=importlib does not look for.
sys.path.insert(0, str(Path(__file__).parent))
