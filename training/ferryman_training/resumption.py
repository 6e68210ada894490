"""Going on with a run that was stopped: its state, and who may go on.

``resume.pt`` lies in the newest checkpoint and holds what the others do not need: master weights,
optimizer moments, averages and figures on the way. The two appear together or not at all, so a run
that is killed at any moment goes on from the checkpoint before.
"""

from __future__ import annotations

import fcntl
import pickle
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from ferryman_training.checkpoint import CONFIG
from ferryman_training.config import TrainingConfig, load_config
from ferryman_training.errors import CheckpointError
from ferryman_training.patience import Patience
from ferryman_training.progress import Progress
from ferryman_training.run_config import RunConfig
from ferryman_training.run_directory import STATE, RunDirectory

_LOCK = ".lock"

_FIXED = (
    "corpus.source_language",
    "corpus.target_language",
    "corpus.max_tokens",
    "corpus.placeholder_share",
    "corpus.filters",
    "vocabulary",
    "model",
    "alignment.pairs",
    "alignment.passes",
    "alignment.tension",
    "batch",
    "optimizer.kind",
    "run.seed",
)
"""What a run is: with any of these changed, weights or position would mean something else.

All the rest, how long and how fast to learn, and what to write when, may change on the way.
"""


_LEARNER = ("optimizer", "schedule", "loss_scale")
"""The parts of `Learner.state_dict`, which lie in ``resume.pt`` beside the rest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumeState:
    """What only going on with a run needs."""

    learner: dict[str, Any]
    """Of `Learner`; the master weights are in it."""
    average: dict[str, Any]
    """Of `WeightAverage`."""
    progress: Progress
    corpus_digest: str | None
    """SHA-256 of the training corpus; the first runs did not keep it."""
    recent: list[tuple[int, float]]
    """Target tokens and loss of the updates that the next line of the log is the mean of."""
    patience: dict[str, Any] | None = None
    """Of `Patience`, for early stopping; the first runs did not keep it."""

    def fill(self, directory: Path) -> None:
        """Write the state into the directory of a checkpoint that is not in use yet.

        Raises:
            OSError, RuntimeError: It could not be written.
        """
        document = {
            **self.learner,
            "average": self.average,
            "progress": asdict(self.progress),
            "corpus_digest": self.corpus_digest,
            "recent": [list(entry) for entry in self.recent],
            "patience": self.patience,
        }
        # Through a file of ours, since torch's own does not say why a write fails.
        with (directory / STATE).open("wb") as file:
            torch.save(document, file)

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
        newest = RunDirectory(directory).newest
        if newest is None:
            return None
        path = newest / STATE
        if not path.exists():
            raise CheckpointError(
                f"{newest}: holds a model, but no {STATE} to go on from; choose another directory"
            )
        try:
            document = _read(path)
            return cls(
                learner={name: document[name] for name in _LEARNER if name in document},
                average=document["average"],
                progress=Progress.parse(document["progress"]),
                corpus_digest=document.get("corpus_digest"),
                recent=[(int(tokens), loss) for tokens, loss in document.get("recent", [])],
                patience=document.get("patience"),
            )
        # A damaged file makes torch raise nearly anything.
        except Exception as error:
            reason = str(error).partition("\n")[0] or type(error).__name__
            if isinstance(error, pickle.UnpicklingError):
                reason = "what it holds is not only tensors and plain values"
            raise CheckpointError(
                f"{path}: is damaged ({reason}); train into another directory, "
                "or remove this one to start from the beginning"
            ) from error

    def over(self, config: RunConfig) -> bool:
        """Return whether a run has nothing left to do, by its config as it is now."""
        if self.progress.step >= config.steps:
            return True
        patience = Patience(config.stop_patience)
        if self.patience is not None:
            patience.load_state_dict(self.patience)
        return self.progress.finished and patience.exhausted

    def refuse_another_corpus(self, digest: str, name: str) -> None:
        """Raise CheckpointError if the training corpus is not the one that the run began with.

        Args:
            digest: SHA-256 of the corpus to go on with.
            name: What the message calls that.
        """
        if self.corpus_digest not in (None, digest):
            raise CheckpointError(
                f"{name}: is not the corpus that this run began with, which had the SHA-256 "
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


def _read(path: Path) -> dict[str, Any]:
    """Return what a state file holds; no code in it is run, whatever it is."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns of pickles that it is about to refuse
        document: dict[str, Any] = torch.load(path, weights_only=True, map_location="cpu")
    return document


def _refuse_another_run(directory: Path, config: TrainingConfig) -> None:
    if not (directory / CONFIG).exists():
        return
    there, here = _settings(load_config(directory / CONFIG)), _settings(config)
    differences = [
        f"  {path}: {there.get(path)!r} there, {here.get(path)!r} here"
        for path in sorted(there.keys() | here.keys())
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
