"""A lane: the running batch of one beam width, which is a dimension of the step graph."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from ferryman_server.engine.beam import BeamSearch
from ferryman_server.engine.greedy import GreedySearch
from ferryman_server.engine.job import Hypothesis
from ferryman_server.engine.runtime import Decoder, Runtime
from ferryman_server.engine.ticket import Ticket

ENCODER_CHUNK: Final = 8
"""Sentences of like length that are encoded at a time: more would add more padding than speed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A ticket that has reached its destination, and what it has to show for it."""

    ticket: Ticket
    hypotheses: tuple[Hypothesis, ...]
    steps: int


class Lane:
    """Sources of one beam width on their way, one step at a time.

    Args:
        runtime: The model.
        width: Beam width W.
        max_sources: The most sources at a time.
    """

    def __init__(self, runtime: Runtime, *, width: int, max_sources: int) -> None:
        self.width = width
        self._tickets: list[Ticket | None] = [None] * max_sources
        self._runtime = runtime
        self._decoder: Decoder = runtime.decoder(width=width, max_sources=max_sources)
        self._state = self._decoder.state
        self._search: GreedySearch | BeamSearch
        if width == 1:
            self._search = GreedySearch(self._decoder.input_ids, bos=runtime.bos, eos=runtime.eos)
        else:
            self._search = BeamSearch(
                self._decoder.input_ids,
                vocabulary_size=runtime.vocabulary_size,
                bos=runtime.bos,
                eos=runtime.eos,
            )

    @property
    def tickets(self) -> list[Ticket]:
        """Those on their way."""
        return [ticket for ticket in self._tickets if ticket is not None]

    def take_bytes_copied(self) -> int:
        """Return the bytes of state moved since this was last asked."""
        copied, self._state.bytes_copied = self._state.bytes_copied, 0
        return copied

    def admit(self, tickets: Sequence[Ticket]) -> int:
        """Encode sources and let them join; return how many joined others already under way."""
        ragged = len(tickets) if self.tickets else 0
        # The longest first, so that the memory's source length changes at most once.
        boarders = sorted(tickets, key=lambda ticket: -ticket.source_tokens)
        for start in range(0, len(boarders), ENCODER_CHUNK):
            chunk = boarders[start : start + ENCODER_CHUNK]
            outputs = self._runtime.encode([ticket.job.source for ticket in chunk])
            for slot, ticket in zip(self._state.admit(outputs), chunk, strict=True):
                self._tickets[slot] = ticket
                self._search.admit(slot, ticket.job.search)
        return ragged

    def leave(self, reason: Callable[[Ticket], bool]) -> list[Ticket]:
        """Let go of the tickets for which there is a reason, and return them."""
        leaving = {
            slot: ticket
            for slot, ticket in enumerate(self._tickets)
            if ticket is not None and reason(ticket)
        }
        self._release(leaving)
        return list(leaving.values())

    def step(self) -> list[Finished]:
        """Advance every hypothesis by one token; return what has finished by that."""
        self._close_gaps()
        log_probs, ids = self._decoder.step(self._search.candidates)
        lengths = self._state.lengths[: self._state.sources, 0]
        done = self._search.advance(lengths, log_probs, ids, self._state.reorder)
        finished = []
        for slot in done:
            ticket = self._tickets[slot]
            assert ticket is not None
            steps = int(lengths[slot])
            hypotheses = self._search.hypotheses(slot, steps)
            finished.append(Finished(ticket=ticket, hypotheses=hypotheses, steps=steps))
        self._release(done)
        return finished

    def _close_gaps(self) -> None:
        """Move the last sources into the slots of those that left."""
        for source, target in self._state.compact():
            self._tickets[target], self._tickets[source] = self._tickets[source], None
            self._search.move(source, target)

    def _release(self, slots: Iterable[int]) -> None:
        for slot in slots:
            self._tickets[slot] = None
        self._state.release(slots)
