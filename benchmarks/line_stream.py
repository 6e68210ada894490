"""Translating any number of lines with the memory of a few, and what that took."""

from __future__ import annotations

import statistics
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Final

from benchmarks.loads import Ids
from ferryman_server.engine import Engine, Job, Result, Search

CHUNK: Final = 256
"""Lines that are submitted together."""
_AHEAD: Final = 2
"""Chunks that are under way, so that the engine never waits for the next."""
_SAMPLES: Final = 100
_STATUS: Final = Path("/proc/self/status")


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamRun:
    """What a number of lines took."""

    lines: int
    tokens: int
    """Of all translations, their ends included."""
    wall: float
    """Seconds."""
    cpu: float
    """Seconds of this process, all threads together."""
    resident: tuple[tuple[int, int], ...]
    """Lines that were done, and the resident memory in bytes then."""

    @property
    def growth(self) -> float:
        """Bytes of memory that a line adds in the second half, by least squares."""
        return slope(self.resident[len(self.resident) // 2 :])


def translate_lines(
    engine: Engine,
    sources: Iterable[Ids],
    search: Search,
    lines: int,
    *,
    resident: Callable[[], int],
) -> StreamRun:
    """Translate lines one chunk after the other.

    Args:
        engine: Started.
        sources: Token ids of at least so many lines.
        search: Of all of them.
        lines: How many.
        resident: Returns the resident memory of this process in bytes.
    """
    wall, cpu = time.perf_counter(), time.process_time()
    every = max(CHUNK, lines // _SAMPLES)
    done = tokens = 0
    samples = [(0, resident())]
    for result in _results(engine, sources, search, lines):
        done += 1
        tokens += len(result.hypotheses[0].ids) + 1
        if done % every == 0 or done == lines:
            samples.append((done, resident()))
    return StreamRun(
        lines=done,
        tokens=tokens,
        wall=time.perf_counter() - wall,
        cpu=time.process_time() - cpu,
        resident=tuple(samples),
    )


def resident_bytes() -> int:
    """Return the resident memory of this process."""
    for line in _STATUS.read_text("ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) << 10
    raise OSError(f"{_STATUS} says nothing of VmRSS")


def slope(points: Iterable[tuple[float, float]]) -> float:
    """Return how much the second of two numbers grows with the first; 0 for fewer than two."""
    places, values = zip(*points, strict=True)
    if len(places) < 2:
        return 0.0
    return statistics.linear_regression(places, values).slope


def _results(
    engine: Engine, sources: Iterable[Ids], search: Search, lines: int
) -> Iterator[Result]:
    """Yield the answers in order, with few chunks under way."""
    under_way: deque[list[Future[Result]]] = deque()
    wanted = islice(sources, lines)
    while chunk := list(islice(wanted, CHUNK)):
        under_way.append(engine.submit([Job(source=s, search=search) for s in chunk]))
        if len(under_way) > _AHEAD:
            yield from (future.result() for future in under_way.popleft())
    yield from (future.result() for future in chain.from_iterable(under_way))
