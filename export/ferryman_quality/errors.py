"""What can be wrong with what is to be measured.

* QualityError           4
  + PairsError           4   a test set that cannot be read, or is none
  + NoSystemError        4   neither a bundle nor a checkpoint
  + NoAttentionError     4   a model without attention
  + SettingError         2   a setting that the system does not have
  + MissingExtraError    3   the system needs an extra that is not installed

The command `ferryman` prints what has an ``exit_code`` without a traceback; the numbers are those
of its exit codes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar


class QualityError(Exception):
    """Nothing was measured; the message is one line and says what to do."""

    exit_code: ClassVar[int] = 4


class PairsError(QualityError):
    """A test set or a file of translations that cannot be read, or does not fit."""


class NoSystemError(QualityError):
    """What was given is nothing that translates."""


class NoAttentionError(QualityError):
    """The model has no attention that could be shown."""


class SettingError(QualityError):
    """A setting that the system does not have."""

    exit_code = 2


class MissingExtraError(QualityError):
    """What the system needs is not installed.

    Args:
        what: Needs it.
        extras: That bring it.
        fault: What was missed.
    """

    exit_code = 3

    def __init__(self, what: str, extras: Sequence[str], fault: ModuleNotFoundError) -> None:
        noun = "extra" if len(extras) == 1 else "extras"
        super().__init__(
            f"{what} needs the {' and '.join(extras)} {noun} ({fault}): "
            f"pip install 'ferryman[{','.join(extras)}]'"
        )
