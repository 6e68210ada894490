"""How many cores this process may use: what the scheduler allows, and what the container pays for.

`os.cpu_count` tells what the machine has. In a container with a quota of two cores on a machine
with sixty-four, sixty-four threads would take turns at being throttled.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath


def usable_cores(root: Path = Path("/")) -> int:
    """Return the number of cores to plan with; at least 1.

    Args:
        root: Where ``proc`` and ``sys`` are.
    """
    allowed = len(os.sched_getaffinity(0))
    return max(1, math.floor(min(allowed, cgroup_quota(root))))


def cgroup_quota(root: Path = Path("/")) -> float:
    """Return the cores that the control groups of this process pay for; infinite without a quota.

    Reads cgroup v2 (``cpu.max``) and v1 (``cpu.cfs_quota_us``). A group is limited by its parents
    too, so all of them are asked.
    """
    return min(_quotas(root), default=math.inf)


def _quotas(root: Path) -> Iterator[float]:
    for controllers, group in _groups(root):
        for folder in _with_parents(group):
            base = root / "sys/fs/cgroup"
            if not controllers:
                yield from _quota(_words(base / folder / "cpu.max"))
            elif "cpu" in controllers:
                place = base / ",".join(controllers)
                place = (place if place.is_dir() else base / "cpu") / folder
                yield from _quota(
                    _words(place / "cpu.cfs_quota_us") + _words(place / "cpu.cfs_period_us")
                )


def _groups(root: Path) -> Iterator[tuple[list[str], str]]:
    """Yield the controllers (none in v2) and the path of each group that this process is in."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, group = rest.partition(":")
        yield [name for name in controllers.split(",") if name], group


def _with_parents(group: str) -> Iterator[str]:
    """Yield the path of a group and of its parents, relative, the root of all as ``.``."""
    path = PurePosixPath(group.lstrip("/"))
    yield from (str(folder) for folder in (path, *path.parents))


def _quota(words: list[str]) -> Iterator[float]:
    """Yield quota / period, where both are numbers and there is a quota."""
    try:
        quota, period = (int(word) for word in words)
    except ValueError:
        return
    if quota > 0 and period > 0:
        yield quota / period


def _words(path: Path) -> list[str]:
    try:
        return path.read_text().split()
    except OSError:
        return []
