"""Golden sentences: what a bundle must answer on any machine."""

from __future__ import annotations

from collections.abc import Sequence

from ferryman_bundle.manifest import GoldenSentence
from ferryman_export.greedy import GreedyTranslation
from ferryman_training.batching import TokenPair
from ferryman_training.corpus import SentencePair
from ferryman_training.decoding import Decoded

_SURE_MARGIN = 0.01
"""Another CPU adds in another order; that moves a log-probability by about 1e-5, and by a hundred
times as much where a rounded activation falls to the next level."""


def choose_golden_sentences(
    pairs: Sequence[SentencePair],
    tokens: Sequence[TokenPair],
    greedy: Sequence[tuple[Decoded, GreedyTranslation]],
    *,
    count: int,
    max_source_tokens: int,
) -> tuple[GoldenSentence, ...]:
    """Choose sentences of every length whose translation is no close call.

    Args:
        pairs: The sentences to choose from, (N,).
        tokens: The same as ids.
        greedy: Their translations by the model and by the graphs.
        count: How many to choose at most.
        max_source_tokens: The longest source that the bundle will accept.
    """
    sure = [
        i
        for i, (expected, found) in enumerate(greedy)
        if expected.ids == found.ids
        and found.margin >= _SURE_MARGIN
        and 1 <= len(tokens[i].source) <= max_source_tokens
    ]
    sure.sort(key=lambda i: (len(tokens[i].source), i))
    taken = min(count, len(sure))
    chosen = [sure[k * (len(sure) - 1) // max(taken - 1, 1)] for k in range(taken)]
    return tuple(
        GoldenSentence(
            text=pairs[i].source,
            source_ids=tokens[i].source,
            ids=greedy[i][1].ids,
            log_prob=greedy[i][1].log_prob,
        )
        for i in chosen
    )
