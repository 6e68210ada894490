"""A lane: the running batch of one beam width and one tail, which decide the graph that steps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Protocol

from ferryman_server.engine.beam import BeamSearch
from ferryman_server.engine.coverage import rank_by_coverage
from ferryman_server.engine.encoding import Encoded, encode
from ferryman_server.engine.full_tail import FullTailSearch
from ferryman_server.engine.greedy import GreedySearch
from ferryman_server.engine.job import Hypothesis, Job
from ferryman_server.engine.runtime import Decoder, Runtime
from ferryman_server.engine.search_options import Tail
from ferryman_server.engine.ticket import Ticket


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A ticket that has reached its destination, and what it has to show for it."""

    ticket: Ticket
    hypotheses: tuple[Hypothesis, ...]
    steps: int


class LaneSearch(Protocol):
    """The hypotheses of all sources of a lane, and what they go on with."""

    def admit(self, slot: int, job: Job) -> None:
        """Start the source in a slot."""

    def step(self, decoder: Decoder) -> list[int]:
        """Extend every hypothesis by one token; return the slots that are done."""
        ...

    def hypotheses(self, slot: int, length: int) -> list[Hypothesis]:
        """Return the finished hypotheses of a slot that is done after so many steps, best first."""
        ...

    def settled(self, slot: int, length: int) -> tuple[int, ...]:
        """Return the first tokens of the best answer of a slot that goes on, as far as certain."""
        ...

    def move(self, source: int, target: int) -> None:
        """Follow a source from one slot to another."""

    def release(self, slot: int) -> None:
        """Forget a source that has left."""


class Lane:
    """Sources of one beam width on their way, one step at a time.

    Args:
        runtime: The model.
        width: Beam width W.
        max_sources: The most sources at a time.
        tail: What the step is to return.
    """

    def __init__(
        self, runtime: Runtime, *, width: int, max_sources: int, tail: Tail = Tail.FAST
    ) -> None:
        self.width = width
        self._tickets: dict[int, Ticket] = {}  # by slot
        self._runtime = runtime
        self._decoder: Decoder = runtime.decoder(width=width, max_sources=max_sources, tail=tail)
        self._state = self._decoder.state
        self._lists = self._decoder.lists
        self._search = self._make_search(tail)
        # What has been told of the sources that somebody listens to, by slot.
        self._told: dict[int, int] = {}

    def _make_search(self, tail: Tail) -> LaneSearch:
        runtime, input_ids = self._runtime, self._decoder.input_ids
        if tail is not Tail.FULL and self.width == 1:
            return GreedySearch(input_ids, bos=runtime.bos, eos=runtime.eos)
        kind = FullTailSearch if tail is Tail.FULL else BeamSearch
        return kind(
            input_ids,
            vocabulary_size=runtime.vocabulary_size,
            bos=runtime.bos,
            eos=runtime.eos,
        )

    @property
    def sources(self) -> int:
        """How many are on their way."""
        return len(self._tickets)

    @property
    def state_bytes(self) -> int:
        """The memory of its state, in bytes."""
        return self._state.nbytes

    @property
    def tickets(self) -> list[Ticket]:
        """Those on their way."""
        return list(self._tickets.values())

    def take_bytes_copied(self) -> int:
        """Return the bytes of state moved since this was last asked."""
        copied, self._state.bytes_copied = self._state.bytes_copied, 0
        return copied

    def admit(self, tickets: Sequence[Ticket]) -> int:
        """Let sources join, encoded before or now; return how many joined others under way."""
        ragged = len(tickets) if self._tickets else 0
        encode(self._runtime, tickets)
        # The longest first, so that the memory's source length changes at most once.
        boarders = sorted(tickets, key=lambda ticket: -ticket.source_tokens)
        for _, together in groupby(boarders, key=lambda ticket: id(_encoded(ticket).outputs)):
            chunk = list(together)
            outputs = _encoded(chunk[0]).outputs
            slots = self._state.admit(outputs, [_encoded(ticket).row for ticket in chunk])
            for slot, ticket in zip(slots, chunk, strict=True):
                ticket.encoded = None
                self._tickets[slot] = ticket
                self._search.admit(slot, ticket.job)
                if self._lists is not None:
                    self._lists.admit(slot, self._runtime.shortlisted(ticket.job.source))
                if ticket.job.listener is not None:
                    self._told[slot] = 0
        return ragged

    def leave(self, reason: Callable[[Ticket], bool]) -> list[Ticket]:
        """Let go of the tickets for which there is a reason, and return them."""
        leaving = {slot: ticket for slot, ticket in self._tickets.items() if reason(ticket)}
        self._release(leaving)
        return list(leaving.values())

    def step(self) -> list[Finished]:
        """Advance every hypothesis by one token; return what has finished by that."""
        # After most steps nobody leaves. Each line that is run all the same is a line that the
        # step graph, which reads megabytes, has driven out of the cache.
        if self._state.has_gaps:
            self._close_gaps()
        done = self._search.step(self._decoder)
        finished = [self._finish(slot) for slot in done]
        if self._told:
            self._tell(dict(zip(done, finished, strict=True)))
        if done:
            self._release(done)
        return finished

    def _finish(self, slot: int) -> Finished:
        """Return the answer of a slot that is done."""
        ticket, steps = self._tickets[slot], int(self._state.lengths[slot, 0])
        search = ticket.job.search
        hypotheses = self._search.hypotheses(slot, steps)
        if search.coverage_penalty:
            hypotheses = rank_by_coverage(self._runtime, ticket.job, hypotheses)
        best = tuple(hypotheses[: search.num_hypotheses])
        return Finished(ticket=ticket, hypotheses=best, steps=steps)

    def _tell(self, finished: Mapping[int, Finished]) -> None:
        """Tell listeners what has become certain."""
        for slot, told in self._told.items():
            ticket = self._tickets[slot]
            if slot in finished:
                settled = finished[slot].hypotheses[0].ids
            else:
                settled = self._search.settled(slot, int(self._state.lengths[slot, 0]))
            if len(settled) > told:
                ticket.tell(settled[told:])
                self._told[slot] = len(settled)

    def _close_gaps(self) -> None:
        """Move the last sources into the slots of those that left."""
        for source, target in self._state.compact():
            self._tickets[target] = self._tickets.pop(source)
            self._search.move(source, target)
            if self._lists is not None:
                self._lists.move(source, target)
            if source in self._told:
                self._told[target] = self._told.pop(source)

    def _release(self, slots: Iterable[int]) -> None:
        for slot in slots:
            del self._tickets[slot]
            self._search.release(slot)
            if self._lists is not None:
                self._lists.release(slot)
            self._told.pop(slot, None)
        self._state.release(slots)


def _encoded(ticket: Ticket) -> Encoded:
    assert ticket.encoded is not None
    return ticket.encoded
