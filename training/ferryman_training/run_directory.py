"""The directory of a run: which checkpoints are in it, which is the newest, and which the best.

::

    OUT/config.toml, tokenizer.model   what the run is
    OUT/checkpoints/step-00000250/     a checkpoint each, complete in itself
    OUT/best                           a link to the best of them
    OUT/log.jsonl                      what happened

A checkpoint is there as a whole or not at all. The newest one also has what only going on with the
run needs. The first runs had the files of one checkpoint in OUT itself; they are still read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from ferryman_training.durability import discard_directory, remove_leftovers, write_directory
from ferryman_training.errors import CheckpointError
from ferryman_training.patience import merit
from ferryman_training.progress import PROGRESS, Progress
from ferryman_training.run_config import Metric, RunConfig

WEIGHTS: Final = "model.safetensors"
STATE: Final = "resume.pt"
BEST: Final = "best"
_CHECKPOINTS: Final = "checkpoints"
_NAME: Final = re.compile(r"step-(\d{8,})")


class RunDirectory:
    """The checkpoints of a run.

    Args:
        path: Of the directory; it need not be there yet.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._folder = path / _CHECKPOINTS

    def checkpoints(self) -> list[Path]:
        """Return the directories of all checkpoints, oldest first."""
        entries = self._folder.iterdir() if self._folder.is_dir() else ()
        found = sorted((step, path) for path in entries if (step := _step(path)) is not None)
        if not found and (self.path / WEIGHTS).exists():
            return [self.path]
        return [path for _, path in found]

    @property
    def newest(self) -> Path | None:
        """The directory of the newest checkpoint; None before the first."""
        checkpoints = self.checkpoints()
        return checkpoints[-1] if checkpoints else None

    def add(self, step: int, fill: Callable[[Path], object], *, config: RunConfig) -> None:
        """Write a checkpoint, link the best, and remove those that are not to be kept.

        Args:
            step: Of the checkpoint.
            fill: Writes its files into the directory that it is given.
            config: Says how many to keep, and what makes one the best.

        Raises:
            CheckpointError: It could not be written; those before it stand.
        """
        before = self.newest
        try:
            write_directory(self._folder / f"step-{step:08d}", fill)
        except CheckpointError as error:
            if before is None:
                raise
            raise CheckpointError(
                f"{error}; {before.name} stands, and the same command goes on from there"
            ) from error
        self.tidy(config)

    def tidy(self, config: RunConfig) -> None:
        """Link the best checkpoint and remove what is not to be kept, also by killed processes.

        Raises:
            CheckpointError: The directory cannot be written.
        """
        try:
            remove_leftovers(self.path)
            if self._folder.is_dir():
                remove_leftovers(self._folder)
                self._keep(config)
        except OSError as error:
            reason = error.strerror or error
            raise CheckpointError(f"{self.path}: cannot be tidied ({reason})") from error

    def _keep(self, config: RunConfig) -> None:
        checkpoints = self.checkpoints()
        if checkpoints in ([], [self.path]):
            return
        best = ranked(checkpoints, config.metric)[: config.keep_best]
        if best:
            self._link(best[0])
        newest = checkpoints[-config.keep_last :]
        for path in checkpoints[:-1]:
            if path in best or path in newest:
                (path / STATE).unlink(missing_ok=True)
            else:
                discard_directory(path)
        for name in (WEIGHTS, PROGRESS, STATE):
            (self.path / name).unlink(missing_ok=True)  # of a run begun in the first layout

    def _link(self, best: Path) -> None:
        link, target = self.path / BEST, best.relative_to(self.path)
        if link.is_symlink() and link.readlink() == target:
            return
        new = self.path / f".{BEST}.partial"
        new.symlink_to(target)
        new.replace(link)


def ranked(checkpoints: Sequence[Path], metric: Metric) -> list[Path]:
    """Return the validated ones among checkpoints, best first; of equals the older.

    Raises:
        CheckpointError: A ``progress.json`` is damaged.
    """
    scores = {path: Progress.load(path).own_scores for path in checkpoints}
    validated = [path for path in checkpoints if metric in scores[path]]
    return sorted(validated, key=lambda path: -merit(scores[path], metric))


def _step(path: Path) -> int | None:
    match = _NAME.fullmatch(path.name)
    return int(match[1]) if match else None
