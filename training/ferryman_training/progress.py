"""How far a run has come: what ``progress.json`` says."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from ferryman_training.errors import CheckpointError

PROGRESS = "progress.json"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run has come."""

    step: int = 0
    """Updates done."""
    epoch: int = 0
    """The epoch of the last of them, from 0."""
    update_in_epoch: int = 0
    """Updates of the epoch that are done; the next one is read from here."""
    target_tokens: int = 0
    """Target tokens trained on, padding not counted."""
    scores: dict[str, float] = field(default_factory=dict)
    """The newest validation: loss, perplexity, BLEU and chrF."""
    validated: int = 0
    """The step of that validation; where it is `step`, the scores are of these very weights."""
    finished: bool = False
    """True when the run has come to its end: the last of its updates, or an early stop."""
    averaged: tuple[str, ...] = ()
    """The checkpoints that `ferryman average` made these weights of."""

    @property
    def own_scores(self) -> dict[str, float]:
        """The scores of these very weights; empty where they were not validated."""
        return self.scores if self.validated == self.step else {}

    def save(self, directory: Path) -> None:
        """Write the file into a directory."""
        text = json.dumps(asdict(self), indent=2) + "\n"
        (directory / PROGRESS).write_text(text, "utf-8")

    @classmethod
    def load(cls, directory: Path) -> Progress:
        """Read the file of a directory.

        Raises:
            CheckpointError: It is missing or damaged.
        """
        path = directory / PROGRESS
        try:
            return cls.parse(json.loads(path.read_text("utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise CheckpointError(f"{path}: is damaged: {error}") from error

    @classmethod
    def parse(cls, document: dict[str, object]) -> Progress:
        """Return what a JSON object says, which may lack what the first runs did not write.

        Raises:
            TypeError: It has other fields.
        """
        found = cls(**document)  # type: ignore[arg-type]
        return replace(found, averaged=tuple(found.averaged))
