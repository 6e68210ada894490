"""The coverage penalty: a target should attend to all of its source.

A decode step returns no attention, since fused kernels have none to return. So the penalty decides
the order of the hypotheses that have finished, for which one teacher-forced pass has it, and does
not guide the search on its way to them.

Dimension key:
    T: tokens of a target, its end included    S: tokens of a source, its end not included
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from ferryman_server.engine.job import FinishReason, Hypothesis, Job
from ferryman_server.engine.runtime import Runtime
from ferryman_server.engine.search import Floats

_LEAST: Final = 1e-9
"""Coverage of a token that nothing attends to: its logarithm must stay finite."""


def coverage(attention: Floats) -> float:
    """Return the sum over source tokens of log(min(attention received, 1)).

    Wu et al. 2016, https://arxiv.org/abs/1609.08144, equation 14, without its weight.

    Args:
        attention: The weights, (T, S).

    >>> coverage(np.float32([[0.5, 0.5], [0.5, 0.5]]))
    0.0
    """
    received = attention.sum(axis=0, dtype=np.float64)
    return float(np.log(np.clip(received, _LEAST, 1.0)).sum())


def rank_by_coverage(
    runtime: Runtime, job: Job, hypotheses: Sequence[Hypothesis]
) -> list[Hypothesis]:
    """Add the coverage penalty to the scores of finished hypotheses, and sort them by it.

    Args:
        runtime: What has their attention.
        job: The source, and the weight of the penalty.
        hypotheses: Best first, those that were cut in a loop last, where they stay.
    """
    targets = [
        (*h.ids, runtime.eos) if h.finish_reason is FinishReason.EOS else h.ids for h in hypotheses
    ]
    weight = job.search.coverage_penalty
    scored = [
        replace(hypothesis, score=hypothesis.score + weight * coverage(attention))
        for hypothesis, attention in zip(
            hypotheses, runtime.attention(job.source, targets), strict=True
        )
    ]
    return sorted(scored, key=lambda h: (h.finish_reason is FinishReason.LOOP_GUARD, -h.score))
