"""What figures hold for: the machine and what else it does, the commit, the versions."""

from __future__ import annotations

import os
import subprocess
import time
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks.measurement import processor


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """Read before and after measuring; the load says how much else went on."""

    date: str
    commit: str
    processor: str
    cores: int
    """That this process may use."""
    load: float
    """Mean number of processes that wanted a core over the last minute."""
    versions: dict[str, str]

    def render(self) -> str:
        """Return all of it in a line."""
        versions = ", ".join(f"{name} {number}" for name, number in self.versions.items())
        return (
            f"{self.date}, commit {self.commit}; {self.processor}, {self.cores} cores, "
            f"load {self.load:.1f}; {versions}"
        )


def read_environment(*packages: str) -> Environment:
    """Read the environment.

    Args:
        packages: Distributions whose version matters; what is not installed is left out.
    """
    return Environment(
        date=time.strftime("%Y-%m-%d %H:%M"),
        commit=_commit(),
        processor=processor(),
        cores=len(os.sched_getaffinity(0)),
        load=os.getloadavg()[0],
        versions={name: number for name in packages if (number := _version(name))},
    )


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _commit() -> str:
    """Return the commit of this repository, with a plus where files differ from it."""
    command = ["git", "describe", "--always", "--dirty=+", "--exclude=*"]
    found = subprocess.run(
        command, cwd=Path(__file__).parent, capture_output=True, text=True, check=False
    )
    return found.stdout.strip() or "unknown"
