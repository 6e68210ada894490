"""Bootstrap resampling: how much a score would change with another test set of the same kind.

Koehn 2004, "Statistical Significance Tests for Machine Translation Evaluation",
https://aclanthology.org/W04-3250: sentences are drawn with replacement, as many as there are, and
scored, many times over.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from ferryman_quality.draws import SEED, resampled
from ferryman_quality.segments import Floats, Segments

SAMPLES: Final = 1000
"""Test sets drawn, as in sacreBLEU."""


@dataclass(frozen=True, slots=True)
class Interval:
    """What 95 % of the test sets drawn lie in."""

    low: float
    high: float

    @classmethod
    def of(cls, values: Floats) -> Interval:
        """Leave out a fortieth of the values at either end, as sacreBLEU does."""
        ordered = np.sort(values)
        left_out = len(ordered) // 40
        return cls(float(ordered[left_out]), float(ordered[len(ordered) - left_out - 1]))


def bootstrap_interval(segments: Segments, *, samples: int = SAMPLES, seed: int = SEED) -> Interval:
    """Return the confidence interval of a score.

    Half its width is what sacreBLEU prints after the sign ± for the same seed.

    Args:
        segments: The test set.
        samples: Test sets to draw.
        seed: Of the draws.
    """
    draws = resampled(len(segments), samples=samples, seed=seed)
    return Interval.of(np.concatenate([segments.scores(counts) for counts in draws]))
