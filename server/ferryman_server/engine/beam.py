"""Beam search over a running batch: the W best hypotheses of each source, and its finished ones.

Hypotheses are kept best first. Their state is not: it stays in the row where it is, and only the
number of that row is kept here (`DecodeState.reorder` says why).

Dimension key:
    N: slots    n: sources    W: beam width    k: candidates for each hypothesis
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ferryman_server.engine.history import History
from ferryman_server.engine.job import FinishReason, Hypothesis, Search
from ferryman_server.engine.limits import LengthLimits
from ferryman_server.engine.search import (
    Booleans,
    Candidates,
    Floats,
    Ints,
    Lengths,
    extend_beams,
    is_done,
    score,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Finished:
    """A finished hypothesis, as the place in the history where it ends."""

    score: float
    log_prob: float
    length: int
    rank: int
    """Of the hypothesis it extended by its end; where it has no end, its own."""
    end_log_prob: float | None
    """None where it was cut at its limit."""


class BeamSearch:
    """The hypotheses of each source in a batch of beam width W.

    Args:
        input_ids: Where to write the token that each row goes on from, (N, W).
        vocabulary_size: How many tokens there are to choose from.
        bos: What every target starts with.
        eos: The token that ends a sentence.
    """

    def __init__(self, input_ids: Ints, *, vocabulary_size: int, bos: int, eos: int) -> None:
        max_sources, self._width = input_ids.shape
        self._input_ids = input_ids
        self._bos = bos
        self._eos = eos
        # One more than the width, since one of each hypothesis's candidates may be the end.
        self.candidates = min(self._width + 1, vocabulary_size)
        self._searches: list[Search | None] = [None] * max_sources
        self._finished: list[list[_Finished]] = [[] for _ in range(max_sources)]
        self._limits = LengthLimits(max_sources)
        self._log_probs = np.zeros(input_ids.shape, np.float64)
        self._rows = np.zeros_like(input_ids)
        self._full = np.zeros(max_sources, np.bool_)
        self._slots = np.arange(max_sources)[:, None]
        self._history = History(max_sources, self._width)

    def admit(self, slot: int, search: Search) -> None:
        """Start the source in a slot, from one hypothesis: its W rows are still the same."""
        self._searches[slot] = search
        self._finished[slot] = []
        self._limits.admit(slot, search)
        self._log_probs[slot] = -np.inf
        self._log_probs[slot, 0] = 0.0
        self._rows[slot] = np.arange(self._width)
        self._full[slot] = False
        self._input_ids[slot] = self._bos

    def advance(
        self, lengths: Lengths, log_probs: Floats, ids: Ints, reorder: Callable[[Ints], Ints]
    ) -> list[int]:
        """Extend every hypothesis by one token and keep the best W of each source.

        Args:
            lengths: Tokens that each source's hypotheses have with this one, (n).
            log_probs: Log-probabilities of the candidates in row order, best first, (n, W, k).
            ids: Their tokens, (n, W, k).
            reorder: `DecodeState.reorder`.

        Returns:
            The slots that are done.
        """
        n = len(lengths)
        may_end, at_limit = self._limits.advance(lengths)
        slots, rows = self._slots[:n], self._rows[:n]
        going, ending = extend_beams(
            self._log_probs[:n], log_probs[slots, rows], ids[slots, rows], may_end, eos=self._eos
        )
        self._log_probs[:n] = going.log_probs
        self._history.record(lengths, going.ids, going.parents, going.token_log_probs)
        done = self._finish(lengths, at_limit, going, ending)
        parents = rows[slots, going.parents]
        # What is done needs no state any more, so none of it is copied.
        parents[done] = np.arange(self._width)
        rows[...] = reorder(parents)
        self._input_ids[slots, rows] = going.ids
        return done

    def hypotheses(self, slot: int, length: int) -> tuple[Hypothesis, ...]:  # noqa: ARG002 - as greedy
        """Return the best finished hypotheses of a slot that is done, best first."""
        search = self._searches[slot]
        assert search is not None
        return tuple(
            self._hypothesis(slot, finished)
            for finished in self._finished[slot][: search.num_hypotheses]
        )

    def move(self, source: int, target: int) -> None:
        """Follow a source from one slot to another."""
        self._searches[target] = self._searches[source]
        self._finished[target] = self._finished[source]
        for field in (self._log_probs, self._rows, self._full, self._input_ids):
            field[target] = field[source]
        self._limits.move(source, target)
        self._history.move(source, target)

    def _finish(
        self, lengths: Lengths, at_limit: Booleans | None, going: Candidates, ending: Candidates
    ) -> list[int]:
        """Note what ends in this step; return the slots that are done."""
        concerned = self._full[: len(lengths)] | (going.log_probs[:, 0] == -np.inf)
        concerned |= (ending.log_probs > -np.inf).any(axis=1)
        if at_limit is not None:
            concerned |= at_limit
        return [
            slot
            for slot in concerned.nonzero()[0].tolist()
            if self._finish_source(slot, int(lengths[slot]), going, ending)
        ]

    def _finish_source(self, slot: int, length: int, going: Candidates, ending: Candidates) -> bool:
        """Note what ends of one source in this step; tell whether it is done."""
        search = self._searches[slot]
        assert search is not None
        ends = zip(
            ending.log_probs[slot].tolist(),
            ending.parents[slot].tolist(),
            ending.token_log_probs[slot].tolist(),
            strict=True,
        )
        for log_prob, rank, end_log_prob in ends:
            if log_prob > -np.inf:
                self._keep(slot, length, log_prob, rank, end_log_prob)
        alive = going.log_probs[slot].tolist()
        if length < search.max_tokens:
            self._full[slot] = len(self._finished[slot]) == self._width
            scores = [finished.score for finished in self._finished[slot]]
            best = score(alive[0], length, search.length_penalty)
            return is_done(scores, best, width=self._width)
        for rank, log_prob in enumerate(alive):
            if log_prob > -np.inf or not self._finished[slot]:
                self._keep(slot, length, log_prob, rank, None)
        return True

    def _keep(
        self, slot: int, length: int, log_prob: float, rank: int, end_log_prob: float | None
    ) -> None:
        """Add a finished hypothesis to those of its source, unless W are better."""
        search = self._searches[slot]
        assert search is not None
        finished = _Finished(
            score=score(log_prob, length, search.length_penalty),
            log_prob=log_prob,
            length=length,
            rank=rank,
            end_log_prob=end_log_prob,
        )
        insort(self._finished[slot], finished, key=lambda kept: -kept.score)
        del self._finished[slot][self._width :]

    def _hypothesis(self, slot: int, finished: _Finished) -> Hypothesis:
        """Read a finished hypothesis from the history."""
        ended = finished.end_log_prob is not None
        ids, log_probs = self._history.trace(slot, finished.length - ended, finished.rank)
        if finished.end_log_prob is not None:
            log_probs.append(finished.end_log_prob)
        return Hypothesis(
            ids=tuple(ids),
            token_log_probs=tuple(log_probs),
            log_prob=finished.log_prob,
            score=finished.score,
            finish_reason=FinishReason.EOS if ended else FinishReason.MAX_TOKENS,
        )
