"""The workloads that the engine is held to: what runs, and how much faster it has to be.

A floor and an aim are ratios: CTranslate2's time over ferryman's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from benchmarks.loads import Ids, Load, forced_tokens
from ferryman_bundle import Bundle

Scale = Literal["tiny", "base"]
Precision = Literal["int8", "fp32"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What a ratio is held to."""

    floor: float
    aim: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """One row of the table, for a model of either scale."""

    name: str
    precision: Precision = "int8"
    workers: int = 1
    beam_size: int = 1
    group: int | None = None
    """Sentences of one call; None for a file, all of whose sentences are handed over at once."""
    share: float = 1.0
    """Of the sentences that are asked for: how many it takes, by how long it takes."""
    bounds: Mapping[Scale, Bounds]

    def load(self, bundle: Bundle, sources: Sequence[Ids]) -> Load:
        """Return the load: whole calls only, and at least one."""
        group = self.group or 1
        count = max(group, int(len(sources) * self.share) // group * group)
        return Load.of(
            bundle,
            sources[:count],
            beam_size=self.beam_size,
            group=self.group,
            target_tokens=forced_tokens(bundle),
        )


def _bounds(*, tiny: tuple[float, float], base: tuple[float, float]) -> Mapping[Scale, Bounds]:
    return {
        "tiny": Bounds(floor=tiny[0], aim=tiny[1]),
        "base": Bounds(floor=base[0], aim=base[1]),
    }


WORKLOADS: Final = (
    Workload(name="greedy file, 1 worker", bounds=_bounds(tiny=(1.25, 1.5), base=(1.15, 1.4))),
    Workload(
        name="greedy file, 2 workers",
        workers=2,
        bounds=_bounds(tiny=(1.2, 1.4), base=(1.05, 1.3)),
    ),
    Workload(
        name="greedy, one by one",
        group=1,
        share=0.2,
        bounds=_bounds(tiny=(1.15, 1.5), base=(1.45, 1.7)),
    ),
    Workload(
        name="beam 4, 8 at a time",
        beam_size=4,
        group=8,
        share=0.25,
        bounds=_bounds(tiny=(1.1, 1.3), base=(1.4, 1.7)),
    ),
    Workload(
        name="beam 4, 32 at a time",
        beam_size=4,
        group=32,
        share=0.25,
        bounds=_bounds(tiny=(1.1, 1.3), base=(1.4, 1.7)),
    ),
    Workload(
        name="greedy file, fp32",
        precision="fp32",
        bounds=_bounds(tiny=(1.0, 1.1), base=(0.9, 1.05)),
    ),
)
