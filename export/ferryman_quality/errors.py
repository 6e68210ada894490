"""What can be wrong with what is to be measured.

* QualityError    4
  + PairsError    4   a test set that cannot be read, or is none

The command `ferryman` prints what has an ``exit_code`` without a traceback.
"""

from __future__ import annotations

from typing import ClassVar


class QualityError(Exception):
    """Nothing was measured; the message is one line and says what to do."""

    exit_code: ClassVar[int] = 4


class PairsError(QualityError):
    """A test set that cannot be read: the file, the line and the fault."""
