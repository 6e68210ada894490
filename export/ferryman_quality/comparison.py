"""Two systems on the same test set: how far apart they are, and whether that is chance.

Both tests are sacreBLEU's, with two differences. They give an interval of the difference, which is
what one decides by. And where sacreBLEU counts the trials that differ *more* than the systems do,
these count those that differ *at least* as much (Phipson and Smyth 2010,
https://arxiv.org/abs/1603.05766). Ties are common: TER counts whole edits, and two variants of one
model answer most sentences alike. Without them, two equal systems differ with p = 0.001.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from ferryman_quality.bootstrap import SAMPLES, Interval
from ferryman_quality.draws import SEED, exchanged, resampled
from ferryman_quality.metrics import Metric
from ferryman_quality.segments import Floats, Segments

TRIALS: Final = 10_000
"""Of approximate randomisation, as in sacreBLEU."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """A candidate held against a baseline, by paired bootstrap resampling."""

    delta: float
    """The candidate's score less the baseline's, in points of the metric."""
    low: float
    """Lower end of the 95 % interval of the difference."""
    high: float
    """Upper end of the 95 % interval of the difference."""
    p_value: float
    """How probable a difference of this size is between systems that are equally good."""


def compare(
    references: Sequence[str],
    baseline: Sequence[str],
    candidate: Sequence[str],
    *,
    metric: Metric = Metric.BLEU,
    samples: int = SAMPLES,
    seed: int = SEED,
) -> Comparison:
    """Compare two systems by paired bootstrap resampling.

    Both are scored on the same sentences, drawn again and again: what makes a drawn test set easy
    or hard is the same for both, so the difference varies much less than the scores.

    Args:
        references: Of the test set.
        baseline: Translations of the system to compare with.
        candidate: Translations of the system in question.
        metric: By which.
        samples: Test sets to draw.
        seed: Of the draws.

    Raises:
        ValueError: There are no sentences, or not as many translations as references.
    """
    return paired_bootstrap(
        Segments.of(metric, baseline, references),
        Segments.of(metric, candidate, references),
        samples=samples,
        seed=seed,
    )


def paired_bootstrap(
    baseline: Segments, candidate: Segments, *, samples: int = SAMPLES, seed: int = SEED
) -> Comparison:
    """Compare two systems on one test set; see `compare`."""
    delta = candidate.score().value - baseline.score().value
    draws = resampled(len(baseline), samples=samples, seed=seed)
    deltas = np.concatenate([candidate.scores(c) - baseline.scores(c) for c in draws])
    interval = Interval.of(deltas)
    sizes = np.abs(deltas)
    p_value = _p_value(sizes - sizes.mean(), abs(delta))
    return Comparison(delta, interval.low, interval.high, p_value)


def randomisation_p_value(
    baseline: Segments, candidate: Segments, *, trials: int = TRIALS, seed: int = SEED
) -> float:
    """Return how probable so great a difference is if the two were one system.

    Approximate randomisation: translations of the two are exchanged, each sentence with one half of
    probability. Riezler and Maxwell 2005, https://aclanthology.org/W05-0908, find it less inclined
    to see differences that are none than the bootstrap.

    Args:
        baseline: The test set under one system.
        candidate: The same under the other.
        trials: How often all sentences are shuffled.
        seed: Of the exchanges.
    """
    one, other = baseline.statistics, candidate.statistics
    sizes = []
    for sides in exchanged(len(baseline), trials=trials, seed=seed):
        moved = sides @ (other - one)  # (M, K)
        sizes.append(
            np.abs(
                baseline.scores_of_sums(one.sum(0) + moved)
                - baseline.scores_of_sums(other.sum(0) - moved)
            )
        )
    delta = candidate.score().value - baseline.score().value
    return _p_value(np.concatenate(sizes), abs(delta))


def _p_value(sizes: Floats, observed: float) -> float:
    """Return the share of trials at least as extreme as what was observed, which counts as one."""
    return (int(np.sum(sizes >= observed)) + 1) / (len(sizes) + 1)
