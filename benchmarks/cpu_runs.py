"""Running the workloads: both engines in turn, CTranslate2 in the setting that suits it best."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.ctranslate2_settings import Setting, fastest, settings_for
from benchmarks.loads import Ids, Load, forced_tokens
from benchmarks.measurement import Spread, Timing, identical_share, ratios, time_in_turn
from benchmarks.systems import ComputeType, CTranslate2, Ferryman
from benchmarks.workloads import Bounds, Precision, Scale, Workload
from ferryman_bundle import Bundle

_COMPUTE_TYPES: Final[dict[Precision, ComputeType]] = {"fp32": "float32", "int8": "int8"}
_TRIALS: Final = 2


@dataclass(frozen=True, slots=True)
class Model:
    """A bundle, the same weights in CTranslate2's format, and sentences for them."""

    scale: Scale
    bundle: Bundle
    converted: Path
    """A folder."""
    sources: Sequence[Ids]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One workload with one model."""

    workload: str
    scale: Scale
    bundle: str
    bounds: Bounds
    sentences: int
    setting: str
    """Of CTranslate2: its batches."""
    identical: float
    """Share of sentences that both answer with the same tokens, from 0 to 1."""
    ours: tuple[Timing, ...]
    """Ferryman's, of each round."""
    theirs: tuple[Timing, ...]
    """CTranslate2's, of each round."""
    wall_ratio: Spread
    """CTranslate2's time over ferryman's of the same round."""
    cpu_ratio: Spread
    """The same of CPU time, which a busy machine disturbs less."""


def measure(workload: Workload, model: Model, *, rounds: int) -> Measurement:
    """Run one workload with both engines; what comes before the rounds warms them up."""
    load = workload.load(model.bundle, model.sources)
    with _systems(workload.precision, workload.workers, model, load) as (ours, theirs):
        answers = ours.ids(ours.translate(load))
        theirs.setting = _best_setting(theirs, load, workload.workers)
        identical = identical_share(answers, theirs.ids(theirs.translate(load)))
        timings = time_in_turn(
            {system.name: functools.partial(system.translate, load) for system in (ours, theirs)},
            rounds=rounds,
        )
    mine, other = timings[ours.name], timings[theirs.name]
    return Measurement(
        workload=workload.name,
        scale=model.scale,
        bundle=model.bundle.manifest.name,
        bounds=workload.bounds[model.scale],
        sentences=len(load.sources),
        setting=theirs.setting.render(),
        identical=identical,
        ours=tuple(mine),
        theirs=tuple(other),
        wall_ratio=ratios([t.wall for t in other], [t.wall for t in mine]),
        cpu_ratio=ratios([t.cpu for t in other], [t.cpu for t in mine]),
    )


def shared_greedy_answers(model: Model, sentences: int) -> float:
    """Return the share of greedy answers in float32 on which both engines agree, from 0 to 1."""
    load = Load.of(
        model.bundle, model.sources[:sentences], target_tokens=forced_tokens(model.bundle)
    )
    with _systems("fp32", 1, model, load) as (ours, theirs):
        theirs.setting = Setting(8)
        return identical_share(ours.ids(ours.translate(load)), theirs.ids(theirs.translate(load)))


def _best_setting(theirs: CTranslate2, load: Load, workers: int) -> Setting:
    """Try all settings: by CPU time, or where workers share the file out, by the clock."""

    def cost(setting: Setting) -> float:
        theirs.setting = setting
        run = functools.partial(theirs.translate, load)
        (timing,) = time_in_turn({theirs.name: run}, rounds=1)[theirs.name]
        return timing.wall if workers > 1 else timing.cpu

    return fastest(settings_for(load.group), cost, _TRIALS)


@contextmanager
def _systems(
    precision: Precision, workers: int, model: Model, load: Load
) -> Iterator[tuple[Ferryman, CTranslate2]]:
    """Start both engines, and stop ferryman's afterwards."""
    tokens = sum(len(ids) + 1 for ids in load.sources)
    ours = Ferryman(model.bundle, precision, workers=workers, max_queued_tokens=tokens)
    try:
        kind = _COMPUTE_TYPES[precision]
        yield ours, CTranslate2(model.converted, model.bundle, kind, workers=workers)
    finally:
        ours.close()
