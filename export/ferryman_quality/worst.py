"""The sentences that came out worst: what to look at first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sacrebleu.metrics.chrf import CHRF

from ferryman_quality.metrics import require_pairs


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentence:
    """One sentence of a test set and what became of it."""

    number: int
    """Its place in the test set, from 1."""
    source: str
    translation: str
    reference: str
    chrf: float
    """From 0 to 100. BLEU of one sentence is zero wherever four words in a row are missing."""


def worst_sentences(
    sources: Sequence[str],
    translations: Sequence[str],
    references: Sequence[str],
    *,
    count: int,
) -> list[Sentence]:
    """Return the sentences of the lowest chrF, the worst first, equal ones in their order.

    Raises:
        ValueError: There are no sentences, or not as many of each.
    """
    require_pairs(translations, references)
    chrf = CHRF()
    sentences = [
        Sentence(
            number=number,
            source=source,
            translation=translation,
            reference=reference,
            chrf=float(chrf.sentence_score(translation, [reference]).score),
        )
        for number, (source, translation, reference) in enumerate(
            zip(sources, translations, references, strict=True), 1
        )
    ]
    return sorted(sentences, key=lambda sentence: sentence.chrf)[:count]
