"""Checkpoints: a directory that another program can read without torch or pickle.

``config.toml`` (as run), ``model.safetensors``, ``tokenizer.model`` and ``progress.json`` are the
checkpoint; ``resume/`` beside them holds what only going on needs.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import safetensors.torch
import tomli_w
import torch
from safetensors import SafetensorError
from torch import Tensor

from ferryman_bundle.tokenizer import Tokenizer, TokenizerError
from ferryman_training.config import TrainingConfig, load_config
from ferryman_training.errors import CheckpointError

from ferryman_training.transformer import Transformer

CONFIG, WEIGHTS, TOKENIZER, PROGRESS = (
    "config.toml",
    "model.safetensors",
    "tokenizer.model",
    "progress.json",
)
_RESUME = "resume.pt"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run has come."""

    step: int = 0
    """Updates done."""
    epoch: int = 0
    update_in_epoch: int = 0
    """Updates of the epoch that are done; the next one is read from here."""
    target_tokens: int = 0
    """Target tokens trained on, padding not counted."""
    scores: dict[str, float] = field(default_factory=dict)
    """The newest validation: loss, BLEU and chrF."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A trained model with all that is needed to use it."""

    config: TrainingConfig
    tokenizer: Tokenizer
    weights: dict[str, Tensor]
    """float32, by parameter name."""
    progress: Progress

    def save(self, directory: Path) -> None:
        """Write the checkpoint; every file appears whole or not at all."""
        directory.mkdir(parents=True, exist_ok=True)
        config = self.config.model_dump(mode="json", exclude_none=True)
        write_atomically(directory / CONFIG, lambda p: p.write_text(tomli_w.dumps(config), "utf-8"))
        write_atomically(directory / TOKENIZER, lambda p: p.write_bytes(self.tokenizer.model))
        write_atomically(
            directory / WEIGHTS, lambda p: safetensors.torch.save_file(self.weights, p)
        )
        progress = json.dumps(asdict(self.progress), indent=2) + "\n"
        write_atomically(directory / PROGRESS, lambda p: p.write_text(progress, "utf-8"))

    @classmethod
    def load(cls, directory: Path) -> Checkpoint:
        """Read a checkpoint.

        Raises:
            CheckpointError: A file is missing or damaged; it is named.
        """
        if not directory.is_dir():
            raise CheckpointError(f"{directory}: there is no such checkpoint directory")
        missing = [n for n in (CONFIG, WEIGHTS, TOKENIZER, PROGRESS) if not (directory / n).is_file()]
        if missing:
            raise CheckpointError(f"{directory}: is no checkpoint; missing: {', '.join(missing)}")
        try:
            return cls(
                config=load_config(directory / CONFIG),
                tokenizer=Tokenizer.load(directory / TOKENIZER),
                weights=safetensors.torch.load_file(directory / WEIGHTS),
                progress=Progress(**json.loads((directory / PROGRESS).read_text("utf-8"))),
            )
        except (SafetensorError, TokenizerError, ValueError, TypeError) as error:
            raise CheckpointError(f"{directory}: is damaged: {error}") from error

    def model(self) -> Transformer:
        """Build the model in float32, in evaluation mode.

        Raises:
            CheckpointError: The weights do not fit the config.
        """
        model = Transformer(self.config.model, self.tokenizer.vocabulary_size)
        try:
            model.load_state_dict(self.weights)
        except RuntimeError as error:
            raise CheckpointError(f"the weights do not fit the config: {error}") from error
        return model.eval()


def save_resume_state(directory: Path, state: dict[str, Any]) -> None:
    """Write what only a resumed run needs: optimizer, averages, position, random state."""
    directory.mkdir(parents=True, exist_ok=True)
    write_atomically(directory / _RESUME, lambda p: torch.save(state, p))


def load_resume_state(directory: Path) -> dict[str, Any] | None:
    """Return the state to go on from, or None where there is none.

    Raises:
        CheckpointError: The file is damaged.
    """
    path = directory / _RESUME
    if not path.exists():
        return None
    try:
        state: dict[str, Any] = torch.load(path, weights_only=True)
    except Exception as error:
        raise CheckpointError(
            f"{path}: is damaged ({error}); remove it to start from the beginning"
        ) from error
    return state


def write_atomically(path: Path, write: Callable[[Path], Any]) -> None:
    """Let `write` fill a new file, make it durable, and put it in the place of `path`."""
    temporary = path.with_name(f".{path.name}.partial")
    try:
        write(temporary)
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
