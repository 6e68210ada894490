"""``python -m ferryman`` is the command `ferryman`."""

from __future__ import annotations

import sys

from ferryman.command import main

if __name__ == "__main__":
    sys.exit(main())
