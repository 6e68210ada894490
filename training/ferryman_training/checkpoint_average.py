"""One checkpoint made of several: the mean of their weights.

Averaging the last checkpoints of a run is Vaswani et al. 2017, https://arxiv.org/abs/1706.03762,
section 6.1. Checkpoints of different runs have a mean that is good for anything only if the runs
began with the same weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from ferryman_training.checkpoint import Checkpoint
from ferryman_training.errors import CheckpointError
from ferryman_training.progress import Progress
from ferryman_training.run_config import Metric
from ferryman_training.run_directory import RunDirectory, ranked


def find_checkpoints(runs: Sequence[Path]) -> list[Path]:
    """Return the directories of all checkpoints of runs, those of each oldest first.

    Args:
        runs: Directories of runs or of single checkpoints.

    Raises:
        CheckpointError: There is none in one of them.
    """
    found = []
    for run in runs:
        checkpoints = RunDirectory(run).checkpoints()
        if not checkpoints:
            raise CheckpointError(f"{run}: holds no checkpoint")
        found += checkpoints
    return found


def choose_best(checkpoints: Sequence[Path], count: int, metric: Metric) -> list[Path]:
    """Return the checkpoints whose own validation was best, best first.

    Raises:
        CheckpointError: Fewer than `count` were validated.
    """
    best = ranked(checkpoints, metric)
    if len(best) < count:
        raise CheckpointError(
            f"--best {count}: only {len(best)} of {len(checkpoints)} checkpoints were validated; "
            "run.keep_best says how many a run keeps"
        )
    return best[:count]


def choose_last(checkpoints: Sequence[Path], count: int) -> list[Path]:
    """Return the checkpoints after the most updates, newest first.

    Raises:
        CheckpointError: There are fewer than `count`.
    """
    if len(checkpoints) < count:
        raise CheckpointError(
            f"--last {count}: there are only {len(checkpoints)} checkpoints; "
            "run.keep_last says how many a run keeps"
        )
    return sorted(checkpoints, key=lambda path: -Progress.load(path).step)[:count]


def average_checkpoints(chosen: Sequence[Path]) -> Checkpoint:
    """Return a checkpoint with the mean of the weights; only one of them is in memory at a time.

    Args:
        chosen: Directories of checkpoints, at least one.

    Raises:
        CheckpointError: One is damaged, or they differ in model or tokenizer.
        ConfigError: The config of one has faults.
    """
    first: Checkpoint | None = None
    total: dict[str, Tensor] = {}
    progress = Progress()
    for path in chosen:
        checkpoint = Checkpoint.load(path)
        checkpoint.model()  # raises where the weights do not fit the config
        if first is None:
            first = checkpoint
        elif checkpoint.config.model != first.config.model:
            raise CheckpointError(f"{path}: is another model than {chosen[0]}")
        elif checkpoint.tokenizer.model != first.tokenizer.model:
            raise CheckpointError(f"{path}: has another vocabulary than {chosen[0]}")
        for name, weight in checkpoint.weights.items():
            total[name] = total.get(name, torch.zeros((), dtype=torch.float64)) + weight.double()
        if checkpoint.progress.step >= progress.step:
            progress = checkpoint.progress
    assert first is not None
    return Checkpoint(
        config=first.config,
        tokenizer=first.tokenizer,
        weights={name: (weight / len(chosen)).float() for name, weight in total.items()},
        progress=replace(
            progress, scores={}, validated=0, averaged=tuple(_name(path) for path in chosen)
        ),
    )


def _name(checkpoint: Path) -> str:
    """Return what a checkpoint is called: its run and its step."""
    path = checkpoint.resolve()
    return f"{path.parent.parent.name}/{path.name}" if path.name.startswith("step-") else path.name
