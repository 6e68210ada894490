"""Checkpoints: a directory that another program can read without torch or pickle.

``config.toml`` (as run), ``model.safetensors``, ``tokenizer.model`` and ``progress.json``. What
only going on with the run needs lies beside them; see `resumption`. A run has several; see
`run_directory`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import safetensors.torch
import tomli_w
from safetensors import SafetensorError
from torch import Tensor

from ferryman_bundle.tokenizer import Tokenizer, TokenizerError
from ferryman_training.config import TrainingConfig, load_config
from ferryman_training.durability import write_atomically, write_directory
from ferryman_training.errors import CheckpointError
from ferryman_training.progress import PROGRESS, Progress
from ferryman_training.run_directory import WEIGHTS, RunDirectory
from ferryman_training.seq2seq import Seq2Seq, build_model

CONFIG: Final = "config.toml"
TOKENIZER: Final = "tokenizer.model"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A trained model with all that is needed to use it."""

    config: TrainingConfig
    tokenizer: Tokenizer
    weights: Mapping[str, Tensor]
    """float32, by parameter name."""
    progress: Progress

    def fill(self, directory: Path) -> None:
        """Write the files into a directory that is not in use yet; see `durability`.

        Raises:
            OSError, SafetensorError: A file could not be written.
        """
        weights = {name: weight.cpu().contiguous() for name, weight in self.weights.items()}
        safetensors.torch.save_file(weights, directory / WEIGHTS)
        (directory / CONFIG).write_text(_toml(self.config), "utf-8")
        (directory / TOKENIZER).write_bytes(self.tokenizer.model)
        self.progress.save(directory)

    def save(self, directory: Path) -> None:
        """Write the checkpoint into a directory that is not there yet or empty, as a whole.

        Raises:
            CheckpointError: There are files in it, or one could not be written; then none is left.
        """
        write_directory(directory, self.fill)

    @classmethod
    def load(cls, directory: Path) -> Checkpoint:
        """Read a checkpoint, or the newest one of a run.

        Args:
            directory: Of the checkpoint or of the run.

        Raises:
            CheckpointError: A file is missing or damaged; it is named.
            ConfigError: The config has faults.
        """
        if not directory.is_dir():
            raise CheckpointError(f"{directory}: there is no such checkpoint directory")
        directory = RunDirectory(directory).newest or directory
        names = (CONFIG, WEIGHTS, TOKENIZER, PROGRESS)
        missing = [name for name in names if not (directory / name).is_file()]
        if missing:
            raise CheckpointError(f"{directory}: is no checkpoint; missing: {', '.join(missing)}")
        return cls(
            config=load_config(directory / CONFIG),
            tokenizer=load_tokenizer(directory),
            weights=_load_weights(directory / WEIGHTS),
            progress=Progress.load(directory),
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
    write_atomically(directory / CONFIG, lambda p: p.write_text(_toml(config), "utf-8"))


def _toml(config: TrainingConfig) -> str:
    return tomli_w.dumps(config.model_dump(mode="json", exclude_none=True))


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
