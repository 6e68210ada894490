"""A long run of the engine, and how much memory it keeps.

The slope is the median over all pairs of readings of the second half (Theil 1950, Sen 1968): caches
that fill up at first do not count, and neither do a few readings that are far off.
"""

from __future__ import annotations

import random
import resource
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, islice
from pathlib import Path
from statistics import median

from any_search import draw_search

from ferryman_server.engine import Engine, Job, Search

MEBIBYTE = 1 << 20
PATIENCE = 120
"""Seconds."""


@dataclass(frozen=True)
class Reading:
    """The memory of this process after so many sentences."""

    sentences: int
    resident_bytes: int


def slope(readings: Sequence[Reading]) -> float:
    """Return the growth over the second half of a run, in bytes for each 10,000 sentences."""
    second_half = readings[len(readings) // 2 :]
    return 10_000 * median(
        (later.resident_bytes - earlier.resident_bytes) / (later.sentences - earlier.sentences)
        for earlier, later in combinations(second_half, 2)
    )


def resident_bytes() -> int:
    """Return the memory of this process that is in RAM."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def jobs(sources: Sequence[tuple[int, ...]], *, seed: int) -> Iterator[Job]:
    """Yield sources for ever: two in three greedily or with a beam, the others with any options."""
    draw = random.Random(seed)
    while True:
        source = draw.choice(sources)
        search = Search(max_tokens=8 + len(source) % 9, beam_size=draw.choice([1, 1, 4]))
        if draw.random() < 0.33:
            search = draw_search(draw, words=500, longest=16)
        needs_more = search.full_tail_options or search.shortlist
        if not needs_more and not search.coverage_penalty:
            yield Job(source=source, search=search)


def soak(engine: Engine, endless: Iterable[Job], *, sentences: int, readings: int) -> list[Reading]:
    """Decode so many sentences, hundreds under way at a time; read the memory so many times."""
    found, step = [], sentences // readings
    endless = iter(endless)
    for number in range(1, readings + 1):
        futures = engine.submit(list(islice(endless, step)))
        for cancelled in futures[:: max(1, step // 4)]:
            cancelled.cancel()
        for future in futures:
            if not future.cancelled():
                future.result(PATIENCE)
        found.append(Reading(number * step, resident_bytes()))
    return found
