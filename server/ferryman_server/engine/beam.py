"""Beam search over a running batch: the W best hypotheses of each source, and its finished ones.

Hypotheses are kept best first. Their state is not: it stays in the row where it is, and only the
number of that row is kept here (`DecodeState.reorder` says why).

Dimension key:
    N: slots    n: sources    W: beam width    k: candidates for each hypothesis
"""

from __future__ import annotations

from bisect import insort
from dataclasses import dataclass

import numpy as np

from ferryman_server.engine.draft import shared_prefix
from ferryman_server.engine.history import History
from ferryman_server.engine.job import FinishReason, Hypothesis, Job
from ferryman_server.engine.limits import LengthLimits
from ferryman_server.engine.loops import LoopGuard, is_loop
from ferryman_server.engine.ruled_slots import RuledSlots
from ferryman_server.engine.runtime import Decoder
from ferryman_server.engine.search import (
    Booleans,
    Candidates,
    Floats,
    Ints,
    Lengths,
    extend_beams,
    is_done,
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
    """None where it was cut."""
    reason: FinishReason


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
        self._candidates = min(self._width + 1, vocabulary_size)
        self._jobs: list[Job | None] = [None] * max_sources
        self._finished: list[list[_Finished]] = [[] for _ in range(max_sources)]
        self._looping: list[list[_Finished]] = [[] for _ in range(max_sources)]
        self._limits = LengthLimits(max_sources)
        self._guard = LoopGuard(max_sources)
        self._log_probs = np.zeros(input_ids.shape, np.float64)
        self._rows = np.zeros_like(input_ids)
        self._slots = np.arange(max_sources)[:, None]
        self._history = History(max_sources, self._width)
        self._ruled = RuledSlots()

    def admit(self, slot: int, job: Job) -> None:
        """Start the source in a slot, from one hypothesis: its W rows are still the same."""
        self._jobs[slot] = job
        self._finished[slot] = []
        self._looping[slot] = []
        self._limits.admit(slot, job.search)
        self._guard.admit(slot, job.search.loop_tokens)
        self._log_probs[slot] = -np.inf
        self._log_probs[slot, 0] = 0.0 if job.search.is_plain else -np.inf
        self._rows[slot] = np.arange(self._width)
        self._input_ids[slot] = self._bos
        if not job.search.is_plain:
            self._ruled.admit(slot, job, eos=self._eos)

    def step(self, decoder: Decoder) -> list[int]:
        """Extend every hypothesis by one token, keep the best W of each source.

        Returns:
            The slots that are done.
        """
        wanted = max(self._candidates, self._ruled.candidates) if self._ruled else self._candidates
        log_probs, ids = decoder.step(wanted)
        n = len(ids)
        slots, rows = self._slots[:n], self._rows[:n]
        log_probs, ids = log_probs[slots, rows], ids[slots, rows]
        lengths = decoder.state.lengths[:n, 0]
        going, done = self._advance(lengths, log_probs, ids)
        if self._ruled:
            done = [slot for slot in done if slot not in self._ruled]
            for slot, own in self._ruled.items():
                going.ids[slot], going.parents[slot] = own.extend(log_probs[slot], ids[slot])
            done += self._ruled.done()
        parents = rows[slots, going.parents]
        # What is done needs no state any more, so none of it is copied.
        parents[done] = np.arange(self._width)
        rows[...] = decoder.state.reorder(parents)
        self._input_ids[slots, rows] = going.ids
        return done

    def _advance(
        self, lengths: Lengths, log_probs: Floats, ids: Ints
    ) -> tuple[Candidates, list[int]]:
        """Extend every hypothesis by one token.

        Args:
            lengths: Tokens that each source's hypotheses have with this one, (n).
            log_probs: Log-probabilities of the candidates of every hypothesis, the best hypothesis
                and its best candidate first, (n, W, k).
            ids: Their tokens, (n, W, k).

        Returns:
            The hypotheses that go on, and the slots that are done.
        """
        may_end, at_limit = self._limits.advance(lengths)
        # A search by rules may have asked for more candidates than are any use here.
        offered = slice(self._candidates)
        going, ending = extend_beams(
            self._log_probs[: len(lengths)],
            log_probs[:, :, offered],
            ids[:, :, offered],
            may_end,
            eos=self._eos,
        )
        self._history.record(lengths, going.ids, going.parents, going.token_log_probs)
        self._cut_loops(lengths, going)
        self._log_probs[: len(lengths)] = going.log_probs
        return going, self._finish(lengths, at_limit, going, ending)

    def hypotheses(self, slot: int, length: int) -> list[Hypothesis]:  # noqa: ARG002 - as greedy
        """Return the finished hypotheses of a slot that is done, best first; loops come last."""
        if slot in self._ruled:
            return self._ruled[slot].hypotheses()
        ended = [*self._finished[slot], *self._looping[slot]]
        return [self._hypothesis(slot, finished) for finished in ended]

    def settled(self, slot: int, length: int) -> tuple[int, ...]:
        """Return the first tokens of the best answer of a slot that goes on, as far as certain.

        They are what all hypotheses share that the answer can be or can still grow from.
        """
        if slot in self._ruled:
            return self._ruled[slot].settled()
        under_way = [
            self._history.trace(slot, length, rank)[0]
            for rank, log_prob in enumerate(self._log_probs[slot].tolist())
            if log_prob > -np.inf
        ]
        # What was cut in a loop is an answer only where nothing else is.
        ended = [
            self._hypothesis(slot, finished).ids
            for finished in self._finished[slot] or self._looping[slot]
        ]
        return shared_prefix([*map(tuple, under_way), *ended])

    def move(self, source: int, target: int) -> None:
        """Follow a source from one slot to another."""
        self._jobs[target] = self._jobs[source]
        self._finished[target] = self._finished[source]
        self._looping[target] = self._looping[source]
        for field in (self._log_probs, self._rows, self._input_ids):
            field[target] = field[source]
        self._limits.move(source, target)
        self._guard.move(source, target)
        self._history.move(source, target)
        self._ruled.move(source, target)

    def release(self, slot: int) -> None:
        """Forget a source that has left."""
        self._ruled.release(slot)

    def _cut_loops(self, lengths: Lengths, going: Candidates) -> None:
        """Take the hypotheses that have begun to repeat themselves out of those that go on."""
        for slot in self._guard.advance(lengths):
            length = int(lengths[slot])
            for rank, log_prob in enumerate(going.log_probs[slot].tolist()):
                if log_prob > -np.inf and self._is_loop(slot, length, rank):
                    looping = self._ended(slot, length, log_prob, rank, FinishReason.LOOP_GUARD)
                    insort(self._looping[slot], looping, key=lambda kept: -kept.score)
                    going.log_probs[slot, rank] = -np.inf

    def _is_loop(self, slot: int, length: int, rank: int) -> bool:
        job, trace = self._job(slot), self._history.trace

        def last(count: int) -> list[int]:
            return trace(slot, length, rank, last=count)[0]

        return is_loop(last, job.search.loop_tokens, job.source)

    def _job(self, slot: int) -> Job:
        job = self._jobs[slot]
        assert job is not None
        return job

    def _finish(
        self, lengths: Lengths, at_limit: Booleans | None, going: Candidates, ending: Candidates
    ) -> list[int]:
        """Note what ends in this step; return the slots that are done."""
        concerned = (ending.log_probs > -np.inf).any(axis=1) | (going.log_probs[:, 0] == -np.inf)
        if at_limit is not None:
            concerned |= at_limit
        return [
            slot
            for slot, is_concerned in enumerate(concerned.tolist())
            if (is_concerned or len(self._finished[slot]) + len(self._looping[slot]) >= self._width)
            and slot not in self._ruled
            and self._finish_source(slot, int(lengths[slot]), going, ending)
        ]

    def _finish_source(self, slot: int, length: int, going: Candidates, ending: Candidates) -> bool:
        """Note what ends of one source in this step; tell whether it is done."""
        search = self._job(slot).search
        finished, looping = self._finished[slot], self._looping[slot]
        ends = zip(
            ending.log_probs[slot].tolist(),
            ending.parents[slot].tolist(),
            ending.token_log_probs[slot].tolist(),
            strict=True,
        )
        for log_prob, rank, end_log_prob in ends:
            if log_prob > -np.inf:
                ended = self._ended(slot, length, log_prob, rank, FinishReason.EOS, end_log_prob)
                self._keep(slot, ended)
        alive = going.log_probs[slot].tolist()
        if length < search.max_tokens:
            enough = len(finished) + len(looping) >= search.enough
            if (looping and (enough or max(alive) == -np.inf)) or (
                search.early_stopping and enough
            ):
                return True
            scores = [ended.score for ended in finished]
            best = search.score(max(alive), length)
            return is_done(scores, best, enough=search.enough)
        for rank, log_prob in enumerate(alive):
            if log_prob > -np.inf or not (finished or looping):
                self._keep(slot, self._ended(slot, length, log_prob, rank, FinishReason.MAX_TOKENS))
        return True

    def _ended(
        self,
        slot: int,
        length: int,
        log_prob: float,
        rank: int,
        reason: FinishReason,
        end_log_prob: float | None = None,
    ) -> _Finished:
        return _Finished(
            score=self._job(slot).search.score(log_prob, length),
            log_prob=log_prob,
            length=length,
            rank=rank,
            end_log_prob=end_log_prob,
            reason=reason,
        )

    def _keep(self, slot: int, ended: _Finished) -> None:
        """Add a finished hypothesis to those of its source, unless enough are better."""
        insort(self._finished[slot], ended, key=lambda kept: -kept.score)
        del self._finished[slot][self._job(slot).search.enough :]

    def _hypothesis(self, slot: int, finished: _Finished) -> Hypothesis:
        """Read a finished hypothesis from the history."""
        has_end = finished.end_log_prob is not None
        ids, log_probs = self._history.trace(slot, finished.length - has_end, finished.rank)
        if finished.end_log_prob is not None:
            log_probs.append(finished.end_log_prob)
        return Hypothesis(
            ids=tuple(ids),
            token_log_probs=tuple(log_probs),
            log_prob=finished.log_prob,
            score=finished.score,
            finish_reason=finished.reason,
        )
