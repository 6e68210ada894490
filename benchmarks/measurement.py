"""What is measured: how alike the answers are, and how long each system takes in turn."""

from __future__ import annotations

import functools
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Spread:
    """The least, the middle and the greatest of several measurements."""

    least: float
    median: float
    greatest: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Summarise at least one value."""
        return cls(min(values), statistics.median(values), max(values))

    def render(self) -> str:
        """Return all three, for a table."""
        return f"{self.least:.2f} / {self.median:.2f} / {self.greatest:.2f}"


def identical_share(ours: Sequence[tuple[int, ...]], theirs: Sequence[tuple[int, ...]]) -> float:
    """Return the share of sentences with the very same tokens, from 0 to 1.

    Raises:
        ValueError: There is not one answer to each sentence on both sides.
    """
    pairs = list(zip(ours, theirs, strict=True))
    return sum(a == b for a, b in pairs) / len(pairs)


@dataclass(frozen=True, slots=True)
class Timing:
    """What one run took, in seconds."""

    wall: float
    """By the clock on the wall, waiting for a core that others occupy included."""
    cpu: float
    """Of this process on any core, all threads together."""


def time_in_turn(
    runs: Mapping[str, Callable[[], object]], *, rounds: int
) -> dict[str, list[Timing]]:
    """Time every run once a round; see `turns_of`.

    Args:
        runs: What to time, by name.
        rounds: How often.

    Returns:
        What each round took, by name.
    """
    return turns_of({name: functools.partial(_timed, run) for name, run in runs.items()}, rounds)


def _timed(run: Callable[[], object]) -> Timing:
    wall, cpu = time.perf_counter(), time.process_time()
    run()
    return Timing(time.perf_counter() - wall, time.process_time() - cpu)


def turns_of(runs: Mapping[str, Callable[[], T]], rounds: int) -> dict[str, list[T]]:
    """Call every run once a round, so that a disturbance of the machine meets all of them.

    Who is first changes from round to round: none of them always finds the caches of the same
    predecessor.

    Returns:
        What each run returned in each round, by name.
    """
    names = list(runs)
    turns: dict[str, list[T]] = {name: [] for name in names}
    for number in range(rounds):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            turns[name].append(runs[name]())
    return turns


def ratios(values: Sequence[float], reference: Sequence[float]) -> Spread:
    """Return values over those of the reference, round by round."""
    return Spread.of([a / b for a, b in zip(values, reference, strict=True)])


def processor() -> str:
    """Return the name of the processor that the figures hold for."""
    information = Path("/proc/cpuinfo")
    lines = information.read_text("utf-8").splitlines() if information.exists() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())
