"""An evaluation: what a system made of a test set, scored, and held against another system.

Dimension key:
    N: sentences of the test set
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ferryman_quality.bootstrap import Interval, bootstrap_interval
from ferryman_quality.comparison import Comparison, paired_bootstrap, randomisation_p_value
from ferryman_quality.metrics import Metric, Score
from ferryman_quality.pairs import Pair
from ferryman_quality.segments import Segments
from ferryman_quality.systems import Output
from ferryman_quality.worst import Sentence, worst_sentences


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """A system on a test set."""

    name: str
    """Path of the system, or its name."""
    output: Output
    scores: Mapping[Metric, Score]
    intervals: Mapping[Metric, Interval]
    segments: Mapping[Metric, Segments]

    @property
    def sentences(self) -> int:
        """N."""
        return len(self.output.translations)


def evaluate(
    name: str, output: Output, pairs: Sequence[Pair], *, samples: int, seed: int
) -> Evaluation:
    """Score what a system made of a test set.

    Args:
        name: Of the system.
        output: Its translations, (N,).
        pairs: The test set, (N,).
        samples: Test sets drawn for the intervals.
        seed: Of the draws.
    """
    references = [pair.target for pair in pairs]
    segments = {m: Segments.of(m, output.translations, references) for m in Metric}
    return Evaluation(
        name=name,
        output=output,
        scores={metric: found.score() for metric, found in segments.items()},
        intervals={
            metric: bootstrap_interval(found, samples=samples, seed=seed)
            for metric, found in segments.items()
        },
        segments=segments,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A system held against another, by one metric."""

    bootstrap: Comparison
    randomisation_p_value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All that there is to say."""

    system: Evaluation
    against: Evaluation | None
    differences: Mapping[Metric, Difference]
    """Of the system to `against`; empty without one."""
    worst: Sequence[Sentence]
    samples: int
    seed: int


def report(
    system: Evaluation,
    against: Evaluation | None,
    pairs: Sequence[Pair],
    *,
    worst: int,
    samples: int,
    seed: int,
) -> Report:
    """Put together what there is to say of a system.

    Args:
        system: The one in question.
        against: The one to compare it with.
        pairs: The test set.
        worst: How many of the worst sentences to show.
        samples: Test sets drawn.
        seed: Of the draws.
    """
    differences = {}
    if against is not None:
        for metric, baseline in against.segments.items():
            candidate = system.segments[metric]
            differences[metric] = Difference(
                bootstrap=paired_bootstrap(baseline, candidate, samples=samples, seed=seed),
                randomisation_p_value=randomisation_p_value(baseline, candidate, seed=seed),
            )
    sentences = worst_sentences(
        [pair.source for pair in pairs],
        system.output.translations,
        [pair.target for pair in pairs],
        count=worst,
    )
    return Report(
        system=system,
        against=against,
        differences=differences,
        worst=sentences,
        samples=samples,
        seed=seed,
    )
