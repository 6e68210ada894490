"""The figures of a run for TensorBoard."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from ferryman_training.errors import ConfigError

FOLDER: Final = "tensorboard"

_GROUPS: Final = {"update": "training", "validation": "validation"}
"""Events that have figures, and what TensorBoard calls their group."""


class Scalars:
    """Writes numbers of events, as they go into the log, where TensorBoard looks for them.

    Args:
        directory: Of the run.

    Raises:
        ConfigError: TensorBoard is not installed.
    """

    def __init__(self, directory: Path) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise ConfigError(
                "run.tensorboard: TensorBoard is not installed; pip install 'ferryman[tensorboard]'"
            ) from error
        self._writer_type = SummaryWriter
        self._folder = directory / FOLDER
        self._writer: Any = None

    def write(self, event: str, fields: dict[str, Any]) -> None:
        """Take an event in; the ``start`` of a resumed run hides what will be done again."""
        if event == "start":
            step = fields["step"] + 1
            self._writer = self._writer_type(str(self._folder), purge_step=step)
        elif event in _GROUPS and self._writer is not None:
            for name, value in fields.items():
                if name != "step" and isinstance(value, int | float):
                    self._writer.add_scalar(f"{_GROUPS[event]}/{name}", value, fields["step"])
            self._writer.flush()

    def close(self) -> None:
        """Write what is still in memory."""
        if self._writer is not None:
            self._writer.close()
