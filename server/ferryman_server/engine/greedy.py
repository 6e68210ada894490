"""Greedy search over a running batch: the likeliest token, until it is the end.

Dimension key:
    N: slots    n: sources    k: candidates for each hypothesis
"""

from __future__ import annotations

import numpy as np

from ferryman_server.engine.history import History
from ferryman_server.engine.job import FinishReason, Hypothesis, Search
from ferryman_server.engine.search import Floats, Ints, choose_greedily, score


class GreedySearch:
    """The one hypothesis of each source in a batch of beam width 1.

    Args:
        max_sources: The most sources there will be, N.
        bos: What every target starts with.
        eos: The token that ends a sentence.
    """

    def __init__(self, max_sources: int, *, bos: int, eos: int) -> None:
        self._bos = bos
        self._eos = eos
        self._searches: list[Search | None] = [None] * max_sources
        self._min_tokens = np.zeros(max_sources, np.int64)
        self._max_tokens = np.zeros(max_sources, np.int64)
        self._last = np.zeros((max_sources, 1), np.int64)
        self._history = History(max_sources, 1)
        self._first = np.zeros((max_sources, 1), np.int64)

    def admit(self, slot: int, search: Search) -> None:
        """Start the source in a slot."""
        self._searches[slot] = search
        self._min_tokens[slot] = search.min_tokens
        self._max_tokens[slot] = search.max_tokens
        self._last[slot] = self._bos

    def input_ids(self, sources: int) -> Ints:
        """Return the token that each of the first n sources goes on from, (n, 1)."""
        return self._last[:sources]

    def candidates(self, lengths: Ints) -> int:
        """Return how many candidates the next step must offer: two where one may be refused.

        Args:
            lengths: Tokens that each source has so far, (n).
        """
        return 2 if (lengths < self._min_tokens[: len(lengths)]).any() else 1

    def advance(self, lengths: Ints, log_probs: Floats, ids: Ints) -> tuple[Ints, list[int]]:
        """Extend every hypothesis by one token.

        Args:
            lengths: Tokens that each source has with this one, (n).
            log_probs: Log-probabilities of the candidates, best first, (n, 1, k).
            ids: Their tokens, (n, 1, k).

        Returns:
            The row of every hypothesis's parent, (n, 1), all 0; and the slots that are done.
        """
        n = len(lengths)
        may_end = lengths > self._min_tokens[:n]
        chosen_log_probs, chosen = choose_greedily(
            log_probs[:, 0], ids[:, 0], may_end, eos=self._eos
        )
        self._last[:n, 0] = chosen
        self._history.record(lengths, chosen[:, None], None, chosen_log_probs[:, None])
        done = (chosen == self._eos) | (lengths >= self._max_tokens[:n])
        return self._first[:n], done.nonzero()[0].tolist()

    def place(self, rows: Ints) -> None:
        """Take note of the row that every hypothesis is in; there is only one."""

    def hypotheses(self, slot: int, length: int) -> tuple[Hypothesis, ...]:
        """Return the finished hypothesis of a slot that is done, of so many tokens."""
        search = self._searches[slot]
        assert search is not None
        ids, log_probs = self._history.trace(slot, length, 0)
        ended = ids[-1] == self._eos
        log_prob = 0.0
        for token_log_prob in log_probs:
            log_prob += token_log_prob
        return (
            Hypothesis(
                ids=tuple(ids[:-1] if ended else ids),
                token_log_probs=tuple(log_probs),
                log_prob=log_prob,
                score=score(log_prob, length, search.length_penalty),
                finish_reason=FinishReason.EOS if ended else FinishReason.MAX_TOKENS,
            ),
        )

    def move(self, source: int, target: int) -> None:
        """Follow a source from one slot to another."""
        self._searches[target] = self._searches[source]
        for field in (self._min_tokens, self._max_tokens, self._last):
            field[target] = field[source]
        self._history.move(source, target)
