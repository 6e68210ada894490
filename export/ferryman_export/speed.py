"""How fast a bundle translates on the machine that makes it: one worker of one thread, the CPU.

By CPU time, which is what the clock shows where nothing else runs: machines that export are often
those that train.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from ferryman_bundle import Bundle
from ferryman_bundle.claims import Speed
from ferryman_bundle.manifest import SearchSettings
from ferryman_export.quality import jobs_for
from ferryman_server.engine import Engine, Job
from ferryman_server.runtime import OnnxRuntime

_ALONE: Final = 16
"""Sentences that are translated one by one."""
_TOGETHER: Final = 32
_BATCHES: Final = 2


def measure_speed(
    bundle: Bundle, texts: Sequence[str], *, search: SearchSettings, variant: str
) -> Speed:
    """Time sentences one by one, and so many at a time.

    Args:
        bundle: It need not be on disk.
        texts: Sentences, at least one; of more than are timed, evenly spread ones.
        search: With which they are translated.
        variant: Of the bundle.
    """
    count = min(len(texts), _TOGETHER * _BATCHES)
    jobs = jobs_for(bundle, [texts[i * len(texts) // count] for i in range(count)], search=search)
    with Engine(OnnxRuntime(bundle, variant=variant)) as engine:
        # What only the first translation takes is not of its speed.
        _rate(engine, jobs[:1], at_a_time=1)
        alone = _rate(engine, jobs[:: max(1, count // _ALONE)][:_ALONE], at_a_time=1)
        together = _rate(engine, jobs, at_a_time=_TOGETHER)
    return Speed(
        tokens_per_second_alone=round(alone, 1),
        tokens_per_second_together=round(together, 1),
        together=_TOGETHER,
        sentences=count,
        device=processor(),
        search=search,
    )


def _rate(engine: Engine, jobs: Sequence[Job], *, at_a_time: int) -> float:
    """Return the tokens of the best hypotheses, ends not counted, for each second of CPU time."""
    tokens, began = 0, time.process_time()
    for start in range(0, len(jobs), at_a_time):
        futures = engine.submit(list(jobs[start : start + at_a_time]))
        tokens += sum(len(future.result().hypotheses[0].ids) for future in futures)
    return tokens / (time.process_time() - began)


def processor() -> str:
    """Return the name of this machine's processor."""
    information = Path("/proc/cpuinfo")
    lines = information.read_text("utf-8").splitlines() if information.exists() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())
