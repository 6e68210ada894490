"""Rules of a search: which tokens a hypothesis must take, may not take, or is drawn to.

The log-probabilities that a rule changes are what the search adds up and ranks by. Those that are
reported stay the model's own: nothing is renormalised after a token was forbidden.

Dimension key:
    k: tokens on offer; with the full tail all V of the vocabulary, in the order of their ids
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from ferryman_server.engine.required import draw_to_missing, missing, out_of_turn
from ferryman_server.engine.search import Doubles, Floats, Ints
from ferryman_server.engine.search_options import Search


def ends_of_ngrams(ids: Sequence[int], size: int) -> set[int]:
    """Return the tokens that would complete a sequence of this size for the second time.

    >>> ends_of_ngrams([5, 6, 7, 5, 6], 3)
    {7}
    """
    start = len(ids) - size + 1
    if start < 0:
        return set()
    suffix = tuple(ids[start:])
    return {ids[i + size - 1] for i in range(start) if tuple(ids[i : i + size - 1]) == suffix}


def ends_of_sequences(ids: Sequence[int], sequences: Iterable[Sequence[int]]) -> set[int]:
    """Return the tokens that would complete one of some sequences.

    >>> sorted(ends_of_sequences([5, 6], [[9], [6, 7], [5, 8]]))
    [7, 9]
    """
    length = len(ids)
    return {
        last
        for *first, last in sequences
        if len(first) <= length and list(ids[length - len(first) :]) == first
    }


def discount_repetitions(log_probs: Doubles, ids: Sequence[int], penalty: float) -> Doubles:
    """Multiply the log-probability of tokens that are there already.

    Keskar et al. 2019 (https://arxiv.org/abs/1909.05858, section 4.1) divide logits, which rewards
    a repetition whose logit is negative; log-probabilities are logits that are never positive. The
    sum over all tokens is not made one again, which would be the same for greedy search and for
    sampling, and would lift whatever a beam extends after a repetition.

    Args:
        log_probs: Of every token, (V).
        ids: Those that are there already.
        penalty: What to multiply by; above 1 discourages.
    """
    places = sorted(set(ids))
    changed = log_probs.copy()
    changed[places] *= penalty
    return changed


def draw_towards(log_probs: Doubles, token: int, bias: float) -> Doubles:
    """Mix a distribution with the certainty of one token.

    Arivazhagan et al. 2020, https://arxiv.org/abs/2004.03643, equation 4:
    (1 - bias) * probability, + bias for the token.

    Args:
        log_probs: Of every token, (V).
        token: The token to draw to.
        bias: From 0 to 1.
    """
    with np.errstate(divide="ignore"):
        changed: Doubles = log_probs + np.log(1.0 - bias)
        changed[token] = np.log((1.0 - bias) * np.exp(log_probs[token]) + bias)
    return changed


class Rules:
    """What the options of one search mean for a hypothesis.

    Args:
        search: The options.
        eos: The token that ends a sentence.
    """

    def __init__(self, search: Search, *, eos: int) -> None:
        self._search = search
        self._eos = eos
        forced = dict(search.forced)
        if search.prefix_bias is None:
            forced = dict(enumerate(search.prefix)) | forced
        self._forced = forced

    def forced(self, ids: Sequence[int]) -> int | None:
        """Return the token that must come next; None where there is a choice."""
        return self._forced.get(len(ids))

    def forbidden(self, ids: Sequence[int]) -> set[int]:
        """Return the tokens that may not come next."""
        search = self._search
        forbidden = ends_of_sequences(ids, search.suppressed)
        if search.no_repeat_ngram:
            forbidden |= ends_of_ngrams(ids, search.no_repeat_ngram)
        if search.required:
            # What is required comes, whatever else says that it may not.
            forbidden -= {rest[0] for rest in missing(ids, search.required)}
            forbidden |= out_of_turn(ids, search.required)
        if len(ids) < search.min_tokens:
            forbidden.add(self._eos)
        return forbidden

    def adjusted(
        self, ids: Sequence[int], log_probs: Floats, offered: Ints, *, forbidden: set[int]
    ) -> Doubles:
        """Return what the search adds up for each token on offer, (k); -inf for what may not come.

        Args:
            ids: The hypothesis so far.
            log_probs: Of the tokens on offer, (k).
            offered: The tokens on offer, (k).
            forbidden: What `forbidden` said of this hypothesis.
        """
        search, adjusted = self._search, log_probs.astype(np.float64)
        token = self.forced(ids)
        if token is not None:
            return np.where(offered == token, adjusted, -np.inf)
        if search.repetition_penalty != 1.0:
            adjusted = discount_repetitions(adjusted, ids, search.repetition_penalty)
        if search.prefix_bias is not None and self._is_within_prefix(ids):
            adjusted = draw_towards(adjusted, search.prefix[len(ids)], search.prefix_bias)
        if forbidden:
            adjusted[np.isin(offered, list(forbidden))] = -np.inf
        if search.required:
            lacking = missing(ids, search.required)
            adjusted = draw_to_missing(
                adjusted,
                offered,
                [rest[0] for rest in lacking],
                room=search.max_tokens - len(ids),
                lacking=sum(map(len, lacking)),
                eos=self._eos,
            )
        return adjusted

    def _is_within_prefix(self, ids: Sequence[int]) -> bool:
        prefix = self._search.prefix
        return len(ids) < len(prefix) and tuple(ids) == prefix[: len(ids)]
