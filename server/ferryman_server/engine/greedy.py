"""Greedy search over a running batch: the likeliest token, until it is the end.

Dimension key:
    N: slots    n: sources    k: candidates for each hypothesis
"""

from __future__ import annotations

from collections.abc import Callable

from ferryman_server.engine.history import History
from ferryman_server.engine.job import FinishReason, Hypothesis, Search
from ferryman_server.engine.limits import LengthLimits
from ferryman_server.engine.search import Floats, Ints, Lengths, choose_greedily, score


class GreedySearch:
    """The one hypothesis of each source in a batch of beam width 1.

    Args:
        input_ids: Where to write the token that each row goes on from, (N, 1).
        bos: What every target starts with.
        eos: The token that ends a sentence.
    """

    def __init__(self, input_ids: Ints, *, bos: int, eos: int) -> None:
        self._input_ids = input_ids
        self._bos = bos
        self._eos = eos
        self._searches: list[Search | None] = [None] * len(input_ids)
        self._limits = LengthLimits(len(input_ids))
        self._history = History(len(input_ids), 1)

    def admit(self, slot: int, search: Search) -> None:
        """Start the source in a slot."""
        self._searches[slot] = search
        self._limits.admit(slot, search)
        self._input_ids[slot] = self._bos

    @property
    def candidates(self) -> int:
        """How many candidates the next step must offer: two where one may be refused."""
        return 2 if self._limits.somebody_is_early else 1

    def advance(
        self,
        lengths: Lengths,
        log_probs: Floats,
        ids: Ints,
        reorder: Callable[[Ints], Ints],  # noqa: ARG002 - each hypothesis has one row, and keeps it
    ) -> list[int]:
        """Extend every hypothesis by one token.

        Args:
            lengths: Tokens that each source has with this one, (n).
            log_probs: Log-probabilities of the candidates, best first, (n, 1, k).
            ids: Their tokens, (n, 1, k).
            reorder: Not needed.

        Returns:
            The slots that are done.
        """
        n = len(lengths)
        may_end, at_limit = self._limits.advance(lengths)
        chosen_log_probs, chosen = choose_greedily(
            log_probs[:, 0], ids[:, 0], may_end, eos=self._eos
        )
        self._input_ids[:n, 0] = chosen
        self._history.record(lengths, chosen[:, None], None, chosen_log_probs[:, None])
        done = chosen == self._eos
        if at_limit is not None:
            done |= at_limit
        return done.nonzero()[0].tolist() if done.any() else []

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
        self._input_ids[target] = self._input_ids[source]
        self._limits.move(source, target)
        self._history.move(source, target)
