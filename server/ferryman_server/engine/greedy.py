"""Greedy search over a running batch: the likeliest token, until it is the end.

Dimension key:
    N: slots    n: sources    k: candidates for each hypothesis
"""

from __future__ import annotations

from ferryman_server.engine.history import History
from ferryman_server.engine.job import FinishReason, Hypothesis, Job
from ferryman_server.engine.limits import LengthLimits
from ferryman_server.engine.loops import LoopGuard, is_loop
from ferryman_server.engine.ruled_slots import RuledSlots
from ferryman_server.engine.runtime import Decoder
from ferryman_server.engine.search import Floats, Ints, Lengths, choose_greedily


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
        self._jobs: list[Job | None] = [None] * len(input_ids)
        self._limits = LengthLimits(len(input_ids))
        self._guard = LoopGuard(len(input_ids))
        self._looping: set[int] = set()
        self._history = History(len(input_ids), 1)
        self._ruled = RuledSlots()

    def admit(self, slot: int, job: Job) -> None:
        """Start the source in a slot."""
        self._jobs[slot] = job
        self._input_ids[slot] = self._bos
        self._limits.admit(slot, job.search)
        self._guard.admit(slot, job.search.loop_tokens)
        if not job.search.is_plain:
            self._ruled.admit(slot, job, eos=self._eos)

    def step(self, decoder: Decoder) -> list[int]:
        """Extend every hypothesis by one token; return the slots that are done."""
        # Two where one may be refused.
        candidates = 2 if self._limits.somebody_is_early else 1
        if self._ruled:
            candidates = max(candidates, self._ruled.candidates)
        log_probs, ids = decoder.step(candidates)
        lengths = decoder.state.lengths[: len(ids), 0]
        done = self._advance(lengths, log_probs, ids)
        if self._ruled:
            done = [slot for slot in done if slot not in self._ruled]
            for slot, own in self._ruled.items():
                self._input_ids[slot] = own.extend(log_probs[slot], ids[slot]).ids
            done += self._ruled.done()
        return done

    def hypotheses(self, slot: int, length: int) -> list[Hypothesis]:
        """Return the finished hypotheses of a slot that is done, of so many tokens."""
        if slot in self._ruled:
            return self._ruled[slot].hypotheses()
        job = self._jobs[slot]
        assert job is not None
        ids, log_probs = self._history.trace(slot, length, 0)
        reason = self._reason(slot, ids)
        log_prob = 0.0
        for token_log_prob in log_probs:
            log_prob += token_log_prob
        return [
            Hypothesis(
                ids=tuple(ids[:-1] if reason is FinishReason.EOS else ids),
                token_log_probs=tuple(log_probs),
                log_prob=log_prob,
                score=job.search.score(log_prob, length),
                finish_reason=reason,
            )
        ]

    def settled(self, slot: int, length: int) -> tuple[int, ...]:
        """Return the tokens of a slot that goes on: none of them is ever taken back."""
        if slot in self._ruled:
            return self._ruled[slot].settled()
        return tuple(self._history.trace(slot, length, 0)[0])

    def move(self, source: int, target: int) -> None:
        """Follow a source from one slot to another."""
        self._jobs[target] = self._jobs[source]
        self._input_ids[target] = self._input_ids[source]
        self._limits.move(source, target)
        self._guard.move(source, target)
        self._history.move(source, target)
        self._ruled.move(source, target)

    def release(self, slot: int) -> None:
        """Forget a source that has left."""
        self._ruled.release(slot)

    def _advance(self, lengths: Lengths, log_probs: Floats, ids: Ints) -> list[int]:
        """Take the likeliest token of every source; return the slots that are done.

        Args:
            lengths: Tokens that each source has with this one, (n).
            log_probs: Log-probabilities of the candidates, best first, (n, 1, k).
            ids: Their tokens, (n, 1, k).
        """
        may_end, at_limit = self._limits.advance(lengths)
        chosen_log_probs, chosen = choose_greedily(
            log_probs[:, 0], ids[:, 0], may_end, eos=self._eos
        )
        self._input_ids[: len(lengths), 0] = chosen
        self._history.record(lengths, chosen[:, None], None, chosen_log_probs[:, None])
        ended = chosen == self._eos
        if at_limit is not None:
            ended |= at_limit
        done: list[int] = ended.nonzero()[0].tolist() if ended.any() else []
        # Those of this step only: they are done by it, and others will have their slots.
        self._looping = {
            slot for slot in self._guard.advance(lengths) if self._is_loop(slot, int(lengths[slot]))
        }
        return [*done, *self._looping.difference(done)] if self._looping else done

    def _is_loop(self, slot: int, length: int) -> bool:
        job, trace = self._jobs[slot], self._history.trace
        assert job is not None

        def last(count: int) -> list[int]:
            return trace(slot, length, 0, last=count)[0]

        return is_loop(last, job.search.loop_tokens, job.source)

    def _reason(self, slot: int, ids: list[int]) -> FinishReason:
        if slot in self._looping:
            return FinishReason.LOOP_GUARD
        return FinishReason.EOS if ids[-1] == self._eos else FinishReason.MAX_TOKENS
