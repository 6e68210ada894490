"""Learning a shortlist for a bundle from the corpus that its model was trained on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ferryman_bundle.lexical_shortlist import LexicalShortlist
from ferryman_bundle.tokenizer import Tokenizer
from ferryman_export.errors import ExportError
from ferryman_export.phases import Phases
from ferryman_training.batching import tokenize
from ferryman_training.corpus import SentencePair
from ferryman_training.lexicon import learn_lexicon
from ferryman_training.parallel_tokens import ParallelTokens
from ferryman_training.shortlist import coverage, learn_shortlist

BEST: Final = 100
"""Likeliest target pieces of each source piece."""
FREQUENT: Final = 100
"""Target pieces that are always there."""
MOST_PAIRS: Final = 500_000
"""Of a corpus, evenly spread: more of them take longer, and hardly change the likeliest."""
_PASSES: Final = 5
_TENSION: Final = 4.0


def learn_from(
    pairs: Sequence[SentencePair], tokenizer: Tokenizer, *, phases: Phases
) -> LexicalShortlist:
    """Learn translation probabilities, and list the likeliest.

    Args:
        pairs: Of the training corpus.
        tokenizer: Of the model.
        phases: Shows what is going on.

    Raises:
        ExportError: There are no pairs to learn from.
    """
    if not pairs:
        raise ExportError("the corpus has no pairs to learn a shortlist from; name one that has")
    with phases.phase("Learning a shortlist") as found:
        corpus = ParallelTokens.of(tokenize(pair, tokenizer) for pair in pairs)
        lexicon = learn_lexicon(
            corpus,
            tokenizer.vocabulary_size,
            passes=_PASSES,
            tension=_TENSION,
            watch=lambda _: None,
        )
        shortlist = learn_shortlist(lexicon, corpus, best=BEST, frequent=FREQUENT)
        found.append(
            f"{len(pairs):,} pairs; {coverage(shortlist, corpus):.2%} of their target tokens are "
            "in the lists"
        )
    return shortlist
