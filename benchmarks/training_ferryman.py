"""ferryman's trainer as a contender.

Called as ``python -m benchmarks.training_ferryman FOLDER PRECISION TOKENS``.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable
from pathlib import Path

import torch

from benchmarks.training_corpus import read_batches, vocabulary_size
from benchmarks.turns import take_turns
from ferryman_training.batching import PlannedUpdate
from ferryman_training.config import TrainingConfig, parse_config
from ferryman_training.learner import Learner, UpdateFigures
from ferryman_training.replicas import Replicas


def prepare(folder: Path, precision: str, tokens: int) -> tuple[int, Callable[[int], int]]:
    """Return the number of parameters, and what does so many updates."""
    batches = read_batches(folder)
    learner = Learner(
        _config(folder, precision, tokens), vocabulary_size(folder), replicas=Replicas()
    )
    numbers = itertools.count()

    def work(updates: int) -> int:
        return sum(update(next(numbers)) for _ in range(updates))

    def update(number: int) -> int:
        planned = PlannedUpdate(
            step=number + 1,
            epoch=number // len(batches),
            number=number % len(batches) + 1,
            epoch_updates=len(batches),
            micro_batches=[batches[number % len(batches)]],
        )
        done = learner.update(planned)
        assert isinstance(done, UpdateFigures), "the loss is no number: there is nothing to time"
        return done.target_tokens

    return learner.parameters, work


def _config(folder: Path, precision: str, tokens: int) -> TrainingConfig:
    """Return 6 encoder and 2 decoder layers, width 256, with AdamW; the rest is the defaults."""
    files = {"train": str(folder / "train.source"), "valid": str(folder / "valid.source")}
    document = {
        "corpus": files,
        "model": {"family": "transformer", "encoder_layers": 6, "decoder_layers": 2},
        "batch": {"tokens": tokens, "micro_batches": 1},
        "run": {"precision": precision, "threads": torch.get_num_threads()},
    }
    return parse_config(document, folder=folder, origin="benchmark")


if __name__ == "__main__":
    folder, precision, tokens = sys.argv[1:]
    take_turns(lambda: prepare(Path(folder), precision, int(tokens)))
