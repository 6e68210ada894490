"""What a run would take, from doing a little of it: `ferryman train --dry-run`."""

from __future__ import annotations

import resource
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from rich.table import Table

from ferryman_training.config import TrainingConfig
from ferryman_training.dataset import passing_cache, prepare
from ferryman_training.display import duration
from ferryman_training.learner import Learner, UpdateFigures
from ferryman_training.replicas import Replicas
from ferryman_training.reporting import Reporter

_WARM_UP: Final = 2
_MEASURED: Final = 8
"""Updates; they come in random order of length, so a few are a fair sample."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """What a run would take."""

    parameters: int
    pairs: int
    dropped: int
    """Pairs left out."""
    target_tokens: int
    """In an epoch."""
    updates: int
    """In an epoch."""
    steps: int
    """Updates of the run."""
    tokens_per_second: float
    """Target tokens of all processes together."""
    seconds_per_update: float
    processes: int
    memory: int
    """Bytes resident at most in all processes together, with what validation and averaging add."""
    gpu_memory: int
    """Bytes of GPU memory in all processes together; 0 without a GPU."""
    disk: int
    """Bytes that checkpoints take at most, with the one that is being written."""

    def table(self) -> Table:
        """Return the figures for a person."""
        table = Table.grid(padding=(0, 2))
        table.add_column()
        table.add_column(justify="right")
        epochs = self.steps / self.updates
        for name, figure in (
            ("parameters", f"{self.parameters:,}"),
            ("training pairs", f"{self.pairs:,}"),
            ("left out", f"{self.dropped:,}"),
            ("target tokens an epoch", f"{self.target_tokens:,}"),
            ("updates an epoch", f"{self.updates:,}"),
            ("updates of the run", f"{self.steps:,} ({epochs:.1f} epochs)"),
            ("processes", f"{self.processes}"),
            ("memory, about", _size(self.memory)),
            *([("memory of GPUs", _size(self.gpu_memory))] if self.gpu_memory else []),
            ("disk for checkpoints, at most", _size(self.disk)),
            (f"speed ({_MEASURED} updates)", f"{self.tokens_per_second:,.0f} tokens/s"),
            ("time for an epoch", duration(self.updates * self.seconds_per_update)),
            (
                "time for the run, without validation",
                duration(self.steps * self.seconds_per_update),
            ),
        ):
            table.add_row(name, figure)
        return table


def rehearse(
    config: TrainingConfig, directory: Path, *, reporter: Reporter, replicas: Replicas
) -> Rehearsal:
    """Do the first few updates of a run and throw them away; nothing is written.

    Args:
        config: The run.
        directory: Of the run; its tokenizer is used if it has one.
        reporter: Tells a person what is going on.
        replicas: The processes that share the work, all of which call this.

    Raises:
        ConfigError: The device asked for is not there.
        CorpusError: The corpus cannot be read or holds nothing to train on.
    """
    torch.set_num_threads(replicas.threads(config.run.threads))
    with passing_cache(config, replicas) as cache:
        dataset = prepare(config, directory, cache=cache, replicas=replicas, reporter=reporter)
        learner = Learner(config, dataset.tokenizer.vocabulary_size, replicas=replicas)
        with reporter.phase("measuring"):
            plan = dataset.sampler.plan(step=0, epoch=0, done=0, steps=_WARM_UP + _MEASURED)
            tokens = 0
            for planned in plan:
                if planned.step == _WARM_UP + 1:
                    began = time.monotonic()
                figures = learner.update(planned)
                if planned.step > _WARM_UP and isinstance(figures, UpdateFigures):
                    tokens += figures.target_tokens
            seconds = time.monotonic() - began
    weights = learner.parameters * torch.float32.itemsize
    # Averages are kept for the whole run, and validation computes with a copy of the weights.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 + 2 * weights
    gpu = torch.cuda.max_memory_allocated(learner.device) if learner.device.type == "cuda" else 0
    checkpoint = weights + len(dataset.tokenizer.model)
    state = _bytes(learner.state_dict()) + weights
    return Rehearsal(
        parameters=learner.parameters,
        pairs=dataset.kept,
        dropped=dataset.dropped,
        target_tokens=dataset.target_tokens,
        updates=planned.epoch_updates,
        steps=config.run.steps,
        tokens_per_second=tokens / seconds,
        seconds_per_update=seconds / _MEASURED,
        processes=replicas.world,
        memory=sum(replicas.gather(peak)),
        gpu_memory=sum(replicas.gather(gpu)),
        # The newest, whole with its state, stands until the next one is there.
        disk=(config.run.keep_last + config.run.keep_best + 1) * checkpoint + 2 * state,
    )


def _bytes(value: Any) -> int:
    """Return the bytes of all tensors in nested dictionaries and lists."""
    if isinstance(value, torch.Tensor):
        return value.nbytes
    parts = value.values() if isinstance(value, dict) else value
    return sum(map(_bytes, parts)) if isinstance(value, dict | list | tuple) else 0


def _size(count: int) -> str:
    """Return a number of bytes as a person says it.

    >>> [_size(n) for n in (3_000_000, 3_000_000_000)]
    ['3 MiB', '2.8 GiB']
    """
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / 2**20:.0f} MiB"
