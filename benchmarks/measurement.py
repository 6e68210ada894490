"""What is measured: how alike the answers are, and how long each system takes in turn."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass


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
    """Time every run once a round, so that a disturbance of the machine meets all of them.

    Who is first changes from round to round: none of them always finds the caches of the same
    predecessor.

    Args:
        runs: What to time, by name.
        rounds: How often.

    Returns:
        What each round took, by name.
    """
    names = list(runs)
    timings: dict[str, list[Timing]] = {name: [] for name in names}
    for number in range(rounds):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            wall, cpu = time.perf_counter(), time.process_time()
            runs[name]()
            timings[name].append(Timing(time.perf_counter() - wall, time.process_time() - cpu))
    return timings


def ratios(theirs: Sequence[float], ours: Sequence[float]) -> Spread:
    """Return their time over ours, round by round; above 1, ours is faster."""
    return Spread.of([a / b for a, b in zip(theirs, ours, strict=True)])
