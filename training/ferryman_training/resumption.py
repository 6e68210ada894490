"""Going on with a run that was stopped: its state, and who may go on.

``resume.pt`` holds what a checkpoint does not: optimizer moments, the running average, and the
position in the corpus. It is written last, whole or not at all, so a run that is killed at any
moment goes on from the state before.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from ferryman_training.checkpoint import CONFIG, WEIGHTS, Progress, write_atomically
from ferryman_training.config import TrainingConfig, load_config
from ferryman_training.errors import CheckpointError

_STATE = "resume.pt"
_LOCK = ".lock"

_FIXED = (
    "corpus.source_language",
    "corpus.target_language",
    "corpus.max_tokens",
    "corpus.placeholder_share",
    "vocabulary",
    "model",
    "batch",
    "optimizer.kind",
    "run.seed",
)
"""What a run is: with any of these changed, weights or position would mean something else.

All the rest, how long and how fast to learn, and what to write when, may change on the way.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumeState:
    """What only going on with a run needs."""

    optimizer: dict[str, Any]
    """Of `MasterOptimizer`; the master weights are in it."""
    average: dict[str, Any]
    """Of `WeightAverage`."""
    progress: Progress
    corpus_digest: str | None
    """SHA-256 of the training corpus; the first runs did not keep it."""
    recent: list[tuple[int, float]]
    """Target tokens and loss of the updates that the next line of the log is the mean of."""

    def save(self, directory: Path, config: TrainingConfig) -> None:
        """Write the state.

        Raises:
            CheckpointError: It could not be written; the one before it stands.
        """
        document = {
            "model": config.model.model_dump(mode="json"),
            "optimizer": self.optimizer,
            "average": self.average,
            "progress": asdict(self.progress),
            "corpus_digest": self.corpus_digest,
            "recent": [list(entry) for entry in self.recent],
        }
        write_atomically(directory / _STATE, lambda p: torch.save(document, p))

    @classmethod
    def load(cls, directory: Path, config: TrainingConfig) -> ResumeState | None:
        """Return the state to go on from, or None where no run was begun.

        Args:
            directory: Of the run.
            config: Of the run that wants to go on.

        Raises:
            CheckpointError: The directory holds another run, with the differences named; or one
                that cannot go on; or the state is damaged.
        """
        _refuse_another_run(directory, config)
        path = directory / _STATE
        if not path.exists():
            if (directory / WEIGHTS).exists():
                raise CheckpointError(
                    f"{directory}: holds a model, but no {_STATE} to go on from; "
                    "choose another directory"
                )
            return None
        try:
            document = torch.load(path, weights_only=True, map_location="cpu")
            return cls(
                optimizer=document["optimizer"],
                average=document["average"],
                progress=Progress(**document["progress"]),
                corpus_digest=document.get("corpus_digest"),
                recent=[(int(tokens), loss) for tokens, loss in document.get("recent", [])],
            )
        # A damaged file makes torch raise nearly anything.
        except Exception as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise CheckpointError(
                f"{path}: is damaged ({reason}); remove the directory to start from the beginning"
            ) from error

    def refuse_another_corpus(self, digest: str, path: Path) -> None:
        """Raise CheckpointError if the training corpus is not the one that the run began with.

        Args:
            digest: SHA-256 of the corpus to go on with.
            path: Where that lies, for the message.
        """
        if self.corpus_digest not in (None, digest):
            raise CheckpointError(
                f"{path}: is not the corpus that this run began with, which had the SHA-256 "
                f"{self.corpus_digest}; train into another directory"
            )


@contextmanager
def exclusive(directory: Path) -> Iterator[None]:
    """Hold the directory of a run; the hold ends with the process, however it ends.

    Raises:
        CheckpointError: Another process is training into it, or it cannot be made.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        file = (directory / _LOCK).open("w")
    except OSError as error:
        raise CheckpointError(f"{directory}: cannot be written ({error.strerror})") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise CheckpointError(f"{directory}: another process is training into it") from error
        yield


def _refuse_another_run(directory: Path, config: TrainingConfig) -> None:
    if not (directory / CONFIG).exists():
        return
    there, here = _settings(load_config(directory / CONFIG)), _settings(config)
    differences = [
        f"  {path}: {there.get(path)!r} there, {here.get(path)!r} here"
        for path in sorted(there | here)
        if there.get(path) != here.get(path)
    ]
    if differences:
        raise CheckpointError(
            "\n".join(
                [
                    f"{directory}: holds another run; choose another directory or remove it. "
                    "It differs in:",
                    *differences,
                ]
            )
        )


def _settings(config: TrainingConfig) -> dict[str, Any]:
    """Return the settings that make a run what it is, by path."""
    return {
        path: value
        for path, value in _flatten(config.model_dump(mode="json"), "")
        if path.startswith(tuple(f"{fixed}." for fixed in _FIXED)) or path in _FIXED
    }


def _flatten(document: dict[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, value in document.items():
        if isinstance(value, dict):
            yield from _flatten(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value
