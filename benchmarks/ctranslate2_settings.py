"""CTranslate2's settings: which there are to choose from, and which of them is the fastest."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

_KERNELS: Final = {"CT2_FORCE_CPU_ISA": "AVX512", "CT2_USE_EXPERIMENTAL_PACKED_GEMM": "1"}
"""The wheel picks AVX2 for its own kernels even where there is AVX-512, and packs no matrices."""
_NEEDED: Final = {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"}


@dataclass(frozen=True, slots=True)
class Setting:
    """How a call is cut into batches, after it was sorted by length."""

    max_batch_size: int
    batch_type: Literal["examples", "tokens"] = "examples"
    """What the size counts."""

    def render(self) -> str:
        """Return the setting for a table."""
        return f"{self.max_batch_size} {self.batch_type}"


SETTINGS: Final = (
    *(Setting(size) for size in (8, 16, 32, 64)),
    *(Setting(size, "tokens") for size in (512, 1024, 2048)),
)


def settings_for(group: int) -> list[Setting]:
    """Return the settings that can differ for calls of so many sentences.

    >>> [setting.render() for setting in settings_for(1)]
    ['1 examples']
    """
    if group <= SETTINGS[0].max_batch_size:
        return [Setting(group)]
    return [s for s in SETTINGS if s.batch_type == "tokens" or s.max_batch_size < 2 * group]


def fastest(settings: Iterable[Setting], cost: Callable[[Setting], float], trials: int) -> Setting:
    """Return the setting with the least cost, of each the least of some trials.

    The trials of one setting are not one after the other, so that no disturbance meets them all.

    Args:
        settings: At least one; where there is only one, nothing is tried.
        cost: Runs a setting and returns what it took.
        trials: Of each setting.
    """
    settings = list(settings)
    if len(settings) == 1:
        return settings[0]
    costs = dict.fromkeys(settings, float("inf"))
    for _ in range(trials):
        for setting in settings:
            costs[setting] = min(costs[setting], cost(setting))
    return min(settings, key=costs.__getitem__)


def choose_kernels() -> str:
    """Make CTranslate2 use its fastest kernels, unless the environment says otherwise.

    It reads these variables once, so this comes before its first translator.

    Returns:
        What it will use, for people.
    """
    information = Path("/proc/cpuinfo")
    flags = set(information.read_text("utf-8").split()) if information.exists() else set()
    if flags >= _NEEDED:
        for name, value in _KERNELS.items():
            os.environ.setdefault(name, value)
    chosen = [f"{name}={os.environ[name]}" for name in _KERNELS if name in os.environ]
    return " ".join(chosen) or "its own choice of kernels"
