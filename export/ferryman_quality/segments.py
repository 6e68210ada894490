"""What each sentence adds to a score: the statistics that resampling sums anew.

BLEU, chrF and TER are functions of sums over sentences: of n-grams found, of edits, of lengths. So
the score of any multiset of sentences takes one matrix product, and no text.

Dimension key:
    N: sentences    K: statistics of a sentence    M: test sets drawn
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ferryman_quality.metrics import Metric, Score, require_pairs

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Segments:
    """The sentences of a test set, as one metric sees them."""

    metric: Metric
    signature: str
    """sacreBLEU's."""
    statistics: Floats
    """(N, K)."""
    compute: Callable[[Any], Any]
    """sacreBLEU's own function from summed statistics, (K,), to a score."""

    @classmethod
    def of(cls, metric: Metric, translations: Sequence[str], references: Sequence[str]) -> Segments:
        """Compute the statistics of every sentence.

        Raises:
            ValueError: There are no sentences, or not as many translations as references.
        """
        require_pairs(translations, references)
        scorer = metric.scorer()
        # sacreBLEU's significance tests rest on the same two methods; no public name gives them.
        statistics = scorer._extract_corpus_statistics(translations, [references])  # noqa: SLF001
        return cls(
            metric=metric,
            signature=str(scorer.get_signature()),
            statistics=np.array(statistics, np.float64),
            compute=scorer._compute_score_from_stats,  # noqa: SLF001
        )

    def __len__(self) -> int:
        """N."""
        return len(self.statistics)

    def score(self) -> Score:
        """Return the score of the test set as it is."""
        return Score(float(self.scores(np.ones((1, len(self))))[0]), self.signature)

    def scores(self, counts: Floats) -> Floats:
        """Return the scores of test sets drawn from this one.

        Args:
            counts: How often each sentence is in each of them, (M, N).

        Returns:
            (M,).
        """
        return self.scores_of_sums(counts @ self.statistics)

    def scores_of_sums(self, sums: Floats) -> Floats:
        """(M, K) summed statistics -> (M,) scores."""
        return np.array([float(self.compute(row).score) for row in sums])
