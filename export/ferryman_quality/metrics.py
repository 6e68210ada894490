"""Metrics of translation quality, as sacreBLEU computes them.

Post 2018, "A Call for Clarity in Reporting BLEU Scores", https://aclanthology.org/W18-6319: a
figure without its signature cannot be compared with another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import sacrebleu.metrics.base
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from sacrebleu.metrics.ter import TER


class Metric(StrEnum):
    """A metric of a whole test set, each with sacreBLEU's defaults."""

    BLEU = "bleu"
    """Papineni et al. 2002, https://aclanthology.org/P02-1040. From 0 to 100."""
    CHRF = "chrf"
    """Popović 2015, https://aclanthology.org/W15-3049: F2 of characters. From 0 to 100."""
    CHRF_PLUS_PLUS = "chrf++"
    """Popović 2017, https://aclanthology.org/W17-4770: chrF and word pairs. From 0 to 100."""
    TER = "ter"
    """Snover et al. 2006, https://aclanthology.org/2006.amta-papers.25: edits for every 100 words
    of the reference. From 0, the less the better."""

    @property
    def label(self) -> str:
        """The name that people write."""
        return {
            Metric.BLEU: "BLEU",
            Metric.CHRF: "chrF",
            Metric.CHRF_PLUS_PLUS: "chrF++",
            Metric.TER: "TER",
        }[self]

    @property
    def falls(self) -> bool:
        """Whether less of it is better."""
        return self is Metric.TER

    def scorer(self) -> sacrebleu.metrics.base.Metric:
        """Return a fresh object that computes it, and has a signature once it has."""
        match self:
            case Metric.BLEU:
                return BLEU()
            case Metric.CHRF:
                return CHRF()
            case Metric.CHRF_PLUS_PLUS:
                return CHRF(word_order=2)
            case Metric.TER:
                return TER()


@dataclass(frozen=True, slots=True)
class Score:
    """A figure, and what it means."""

    value: float
    signature: str
    """sacreBLEU's."""


def score(metric: Metric, translations: Sequence[str], references: Sequence[str]) -> Score:
    """Score a test set.

    Args:
        metric: Which.
        translations: One for each sentence, at least one.
        references: Of the same sentences.

    Raises:
        ValueError: There are none, or not as many of one as of the other.
    """
    require_pairs(translations, references)
    scorer = metric.scorer()
    value = scorer.corpus_score(translations, [references]).score
    return Score(float(value), str(scorer.get_signature()))


def require_pairs(translations: Sequence[str], references: Sequence[str]) -> None:
    """Refuse what sacreBLEU would silently cut to the shorter of the two.

    Raises:
        ValueError: There are none, or not as many of one as of the other.
    """
    if len(translations) != len(references):
        raise ValueError(f"{len(translations)} translations of {len(references)} references")
    if not references:
        raise ValueError("there is nothing to score")
