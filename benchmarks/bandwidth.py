"""How fast one core reads memory, from each level of the caches and from beyond them."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np

_CACHES: Final = Path("/sys/devices/system/cpu/cpu0/cache")
_DESCRIPTION: Final = ("type", "level", "size")
_UNITS: Final = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
_MOST_BYTES: Final = 1 << 30
_TIMED_BYTES: Final = 1 << 29
"""Read at least so much for each figure."""


def cache_sizes(folder: Path = _CACHES) -> dict[int, int]:
    """Return the bytes of each level of data cache, as the kernel describes them."""
    sizes = {}
    for cache in sorted(folder.glob("index*")):
        kind, level, size = ((cache / name).read_text().strip() for name in _DESCRIPTION)
        if kind != "Instruction":
            sizes[int(level)] = int(size[:-1]) * _UNITS[size[-1]]
    return sizes


def places(caches: dict[int, int]) -> dict[str, int]:
    """Return array sizes in bytes that are read from each place, largest caches last.

    An array takes half of the L2 cache, or four times of it where the L3 cache has room for that,
    or twice the L3 cache, but never more than a GiB.

    >>> places({1: 1 << 15, 2: 1 << 20, 3: 1 << 25})
    {'L2': 524288, 'L3': 4194304, 'memory': 67108864}
    """
    second, third = caches.get(2, 1 << 20), caches.get(3, 0)
    found = {"L2": second // 2}
    if third > 8 * second:
        found["L3"] = 4 * second
    found["memory"] = min(2 * max(second, third), _MOST_BYTES)
    return found


def read_rate(size: int) -> float:
    """Return how many bytes a second one thread reads of an array of so many bytes.

    A dot product of the array with itself reads it once, with the processor's widest loads.
    """
    array = np.ones(size // 4, np.float32)
    repetitions = max(3, _TIMED_BYTES // size)
    return array.nbytes / least_seconds(lambda: np.dot(array, array), repetitions)


def least_seconds(run: Callable[[], object], repetitions: int) -> float:
    """Return the shortest time that something takes, after once to warm up.

    Whatever else a machine does only takes away, so the least is what it can do.
    """
    run()
    least = float("inf")
    for _ in range(repetitions):
        began = time.perf_counter()
        run()
        least = min(least, time.perf_counter() - began)
    return least
