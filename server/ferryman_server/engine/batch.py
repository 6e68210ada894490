"""All that one worker decodes at a time: a lane for every beam width and tail in use."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ferryman_server.engine.encoding import encode
from ferryman_server.engine.lane import Finished, Lane
from ferryman_server.engine.runtime import Runtime
from ferryman_server.engine.ticket import LaneKey, Ticket


@dataclass(slots=True)
class Work:
    """What rounds of a batch came to."""

    rounds: int = 0
    steps: int = 0
    """Runs of the step graph: one for every lane that is not empty."""
    rows: int = 0
    """Hypotheses advanced by one token."""
    ragged_admissions: int = 0
    bytes_copied: int = 0

    def add(self, other: Work) -> None:
        """Count further rounds."""
        self.rounds += other.rounds
        self.steps += other.steps
        self.rows += other.rows
        self.ragged_admissions += other.ragged_admissions
        self.bytes_copied += other.bytes_copied


class Batch:
    """The running sentences of one worker.

    Args:
        runtime: The model.
        max_rows: The most hypotheses at a time.
    """

    def __init__(self, runtime: Runtime, *, max_rows: int) -> None:
        self._runtime = runtime
        self._max_rows = max_rows
        self._lanes: dict[LaneKey, Lane] = {}
        self.next_deadline = math.inf
        """The first moment at which somebody may have to leave."""
        self._cancellations = 0

    @property
    def tickets(self) -> list[Ticket]:
        """Those on their way."""
        return [ticket for lane in self._lanes.values() for ticket in lane.tickets]

    @property
    def state_bytes(self) -> int:
        """The memory of the state of all lanes, in bytes."""
        return sum(lane.state_bytes for lane in self._lanes.values())

    def leave(self, now: float, cancellations: int) -> list[Ticket]:
        """Let go of the tickets that were cancelled or have expired, and return them.

        Args:
            now: The time.
            cancellations: How many jobs were ever cancelled; unless it changed, nobody is asked.
        """
        if now < self.next_deadline and cancellations == self._cancellations:
            return []
        self._cancellations = cancellations
        leaving = [
            ticket
            for lane in self._lanes.values()
            for ticket in lane.leave(lambda t: t.cancelled() or t.has_expired(now))
        ]
        deadlines = (t.job.deadline for t in self.tickets if t.job.deadline is not None)
        self.next_deadline = min(deadlines, default=math.inf)
        return leaving

    def round(
        self, boarders: Sequence[Ticket], companions: Sequence[Ticket] = ()
    ) -> tuple[list[Finished], Work]:
        """Let tickets join, and advance every lane by one step.

        Args:
            boarders: Who joins.
            companions: Who still waits, but is encoded along with them.
        """
        work = Work(rounds=1)
        if boarders:
            encode(self._runtime, [*boarders, *companions])
            work.ragged_admissions = self._admit(boarders)
        finished = []
        for lane in self._lanes.values():
            if lane.sources:
                work.steps += 1
                work.rows += lane.width * lane.sources
                finished += lane.step()
            work.bytes_copied += lane.take_bytes_copied()
        return finished, work

    def _admit(self, boarders: Sequence[Ticket]) -> int:
        """Let tickets join their lanes; return how many joined others under way."""
        for ticket in boarders:
            if ticket.job.deadline is not None:
                self.next_deadline = min(self.next_deadline, ticket.job.deadline)
        return sum(
            self._lane(key).admit([ticket for ticket in boarders if ticket.lane == key])
            for key in sorted({ticket.lane for ticket in boarders})
        )

    def _lane(self, key: LaneKey) -> Lane:
        if key not in self._lanes:
            # An empty lane is kept, with its buffers, only until another is needed.
            self._lanes = {other: lane for other, lane in self._lanes.items() if lane.sources}
            most = max(1, self._max_rows // key.width)
            self._lanes[key] = Lane(self._runtime, width=key.width, max_sources=most, tail=key.tail)
        return self._lanes[key]
