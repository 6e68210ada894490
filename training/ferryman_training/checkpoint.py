"""Checkpoints: a directory that another program can read without torch or pickle.

``config.toml`` (as run), ``model.safetensors``, ``tokenizer.model`` and ``progress.json``. What
only going on with the run needs lies beside them; see `resumption`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import safetensors.torch
import tomli_w
from safetensors import SafetensorError
from torch import Tensor

from ferryman_bundle.tokenizer import Tokenizer, TokenizerError
from ferryman_training.config import TrainingConfig, load_config
from ferryman_training.errors import CheckpointError
from ferryman_training.seq2seq import Seq2Seq, build_model

CONFIG, WEIGHTS, TOKENIZER, PROGRESS = (
    "config.toml",
    "model.safetensors",
    "tokenizer.model",
    "progress.json",
)


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


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A trained model with all that is needed to use it."""

    config: TrainingConfig
    tokenizer: Tokenizer
    weights: Mapping[str, Tensor]
    """float32, by parameter name."""
    progress: Progress

    def save(self, directory: Path) -> None:
        """Write the checkpoint; every file appears whole or not at all.

        Raises:
            CheckpointError: A file could not be written; the one before it stands.
        """
        weights = {name: weight.cpu() for name, weight in self.weights.items()}
        progress = json.dumps(asdict(self.progress), indent=2) + "\n"
        save_config(self.config, directory)
        save_tokenizer(self.tokenizer, directory)
        write_atomically(directory / WEIGHTS, lambda p: safetensors.torch.save_file(weights, p))
        write_atomically(directory / PROGRESS, lambda p: p.write_text(progress, "utf-8"))

    @classmethod
    def load(cls, directory: Path) -> Checkpoint:
        """Read a checkpoint.

        Raises:
            CheckpointError: A file is missing or damaged; it is named.
            ConfigError: The config has faults.
        """
        if not directory.is_dir():
            raise CheckpointError(f"{directory}: there is no such checkpoint directory")
        names = (CONFIG, WEIGHTS, TOKENIZER, PROGRESS)
        missing = [name for name in names if not (directory / name).is_file()]
        if missing:
            raise CheckpointError(f"{directory}: is no checkpoint; missing: {', '.join(missing)}")
        return cls(
            config=load_config(directory / CONFIG),
            tokenizer=load_tokenizer(directory),
            weights=_load_weights(directory / WEIGHTS),
            progress=_load_progress(directory / PROGRESS),
        )

    def model(self) -> Seq2Seq:
        """Build the model in float32, in evaluation mode.

        Raises:
            CheckpointError: The weights do not fit the config.
        """
        model = build_model(self.config.model, self.tokenizer.vocabulary_size)
        try:
            model.load_state_dict(self.weights)
        except RuntimeError as error:
            raise CheckpointError(f"the weights do not fit the config: {error}") from error
        return model.eval()


def save_config(config: TrainingConfig, directory: Path) -> None:
    """Write the config as run."""
    text = tomli_w.dumps(config.model_dump(mode="json", exclude_none=True))
    write_atomically(directory / CONFIG, lambda p: p.write_text(text, "utf-8"))


def save_tokenizer(tokenizer: Tokenizer, directory: Path) -> None:
    """Write the tokenizer."""
    write_atomically(directory / TOKENIZER, lambda p: p.write_bytes(tokenizer.model))


def load_tokenizer(directory: Path) -> Tokenizer:
    """Read the tokenizer.

    Raises:
        CheckpointError: The file is missing or damaged.
    """
    path = directory / TOKENIZER
    try:
        return Tokenizer.load(path)
    except (OSError, TokenizerError) as error:
        raise CheckpointError(f"{path}: is damaged: {error}") from error


def _load_weights(path: Path) -> dict[str, Tensor]:
    try:
        return safetensors.torch.load_file(path)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{path}: is damaged: {error}") from error


def _load_progress(path: Path) -> Progress:
    try:
        return Progress(**json.loads(path.read_text("utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise CheckpointError(f"{path}: is damaged: {error}") from error


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a new file, make it durable, and put it in the place of `path`.

    Raises:
        CheckpointError: The file could not be written; what was at `path` is still there.
    """
    temporary = path.with_name(f".{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(temporary)
        _flush(temporary)
        temporary.replace(path)
        _flush(path.parent)
    except (OSError, SafetensorError, RuntimeError) as error:  # torch.save raises the last
        temporary.unlink(missing_ok=True)
        raise CheckpointError(f"{path}: could not be written ({error})") from error


def _flush(path: Path) -> None:
    """Return when the file or folder is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
