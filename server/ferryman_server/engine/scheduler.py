"""Who waits and who boards: first come, first served, and nobody overtakes.

A ticket that does not fit holds up those behind it, of every beam width, so none is passed over for
ever. Whoever fits boards at once, if only one row is free: what is encoded along with those who
board spares the encoder from working on single sentences.

Nothing here is thread-safe or reads a clock: the engine calls it under its lock.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Collection, Sequence
from typing import Final

from ferryman_server.engine.encoding import companions
from ferryman_server.engine.errors import OverloadedError
from ferryman_server.engine.ticket import LaneKey, Ticket

_UNKNOWN_WAIT: Final = 1.0
_LONGEST_WAIT: Final = 60.0
"""Seconds to tell a caller before anything could be measured, and the most to tell one."""


class Scheduler:
    """The queue, and the policy by which it empties.

    Args:
        max_rows: The most hypotheses in the running batches of one worker.
        max_batch_tokens: The most tokens, of sources and targets, that they may grow to.
        max_queued_tokens: The most source tokens in the queue.
    """

    def __init__(self, *, max_rows: int, max_batch_tokens: int, max_queued_tokens: int) -> None:
        self.max_rows = max_rows
        self.max_batch_tokens = max_batch_tokens
        self.max_queued_tokens = max_queued_tokens
        self.queued_tokens = 0
        self._waiting: dict[Ticket, None] = {}
        self._next_deadline = math.inf
        # Since the queue was last empty: when, and the tokens that left it then.
        self._departures: deque[tuple[float, int]] = deque(maxlen=64)

    def __len__(self) -> int:
        """Return how many tickets wait."""
        return len(self._waiting)

    def enqueue(self, tickets: Sequence[Ticket], now: float) -> None:
        """Let tickets wait, all or none.

        Raises:
            OverloadedError: The queue has no room for all of them now.
            ValueError: It never will.
        """
        tokens = sum(ticket.source_tokens for ticket in tickets)
        if tokens > self.max_queued_tokens:
            raise ValueError(
                f"{len(tickets)} jobs have {tokens} source tokens, but the queue holds at most "
                f"{self.max_queued_tokens}; submit fewer at a time"
            )
        excess = self.queued_tokens + tokens - self.max_queued_tokens
        if excess > 0:
            raise OverloadedError(self._wait_for(excess, now))
        if not self._waiting:
            self._departures.clear()
            self._departures.append((now, 0))
        self.queued_tokens += tokens
        for ticket in tickets:
            self._waiting[ticket] = None
            if ticket.job.deadline is not None:
                self._next_deadline = min(self._next_deadline, ticket.job.deadline)

    def withdraw(self, ticket: Ticket) -> bool:
        """Take a ticket out of the queue; False if it is not in it."""
        if ticket not in self._waiting:
            return False
        del self._waiting[ticket]
        self.queued_tokens -= ticket.source_tokens
        return True

    def expire(self, now: float) -> list[Ticket]:
        """Take the tickets whose deadline has passed out of the queue."""
        if now < self._next_deadline:
            return []
        expired = [ticket for ticket in self._waiting if ticket.has_expired(now)]
        for ticket in expired:
            self.withdraw(ticket)
        deadlines = (t.job.deadline for t in self._waiting if t.job.deadline is not None)
        self._next_deadline = min(deadlines, default=math.inf)
        return expired

    def board(self, running: Collection[Ticket], *, idle_workers: int, now: float) -> list[Ticket]:
        """Take the tickets that join a worker's running batches out of the queue.

        Args:
            running: The tickets in those batches.
            idle_workers: Other workers that have nothing to do; each is left an equal share.
            now: The time.
        """
        if not self._waiting:
            return []
        load = _Load(self.max_rows, self.max_batch_tokens)
        for ticket in running:
            load.add(ticket)
        # What cannot be shared equally is for a worker that is idle.
        share = (len(self._waiting) + (0 if running else idle_workers)) // (1 + idle_workers)
        boarders: list[Ticket] = []
        for ticket in self._waiting:
            if len(boarders) == share or not load.fits(ticket):
                break
            load.add(ticket)
            boarders.append(ticket)
        for ticket in boarders:
            self.withdraw(ticket)
        if boarders:
            self._departures.append((now, sum(ticket.source_tokens for ticket in boarders)))
        return boarders

    def companions(self, boarders: Sequence[Ticket]) -> list[Ticket]:
        """Return who still waits and is to be encoded along with those who board."""
        return companions(boarders, self._waiting)

    def estimated_wait(self, now: float) -> float:
        """Return the seconds until what waits now has left, at the latest speed; 0 if none does."""
        return self._wait_for(self.queued_tokens, now) if self._waiting else 0.0

    def clear(self) -> list[Ticket]:
        """Take all tickets out of the queue."""
        tickets = list(self._waiting)
        self._waiting.clear()
        self.queued_tokens = 0
        self._next_deadline = math.inf
        return tickets

    def _wait_for(self, tokens: int, now: float) -> float:
        """Return the seconds until so many tokens have left the queue, at its latest speed."""
        departed = sum(departed for _, departed in self._departures)
        if not departed or now <= self._departures[0][0]:
            return _UNKNOWN_WAIT
        return min(_LONGEST_WAIT, tokens * (now - self._departures[0][0]) / departed)


class _Load:
    """What running batches hold, and what they may grow to.

    Every source of a lane is padded to the longest, and its caches hold as many tokens as the
    longest target of the lane may have.
    """

    def __init__(self, max_rows: int, max_tokens: int) -> None:
        self.rows = 0
        self._max_rows = max_rows
        self._max_tokens = max_tokens
        self._lanes: dict[LaneKey, tuple[int, int, int]] = {}

    def fits(self, ticket: Ticket) -> bool:
        """Tell whether there is room for a ticket; there always is for one alone."""
        if not self.rows:
            return True
        lanes = self._lanes | {ticket.lane: self._lane_with(ticket)}
        tokens = sum(
            n * (source + lane.width * target) for lane, (n, source, target) in lanes.items()
        )
        return self.rows + ticket.rows <= self._max_rows and tokens <= self._max_tokens

    def add(self, ticket: Ticket) -> None:
        """Count a ticket in."""
        self._lanes[ticket.lane] = self._lane_with(ticket)
        self.rows += ticket.rows

    def _lane_with(self, ticket: Ticket) -> tuple[int, int, int]:
        """Return the sources of the ticket's lane, the longest source and the longest target."""
        sources, source_tokens, target_tokens = self._lanes.get(ticket.lane, (0, 0, 0))
        return (
            sources + 1,
            max(source_tokens, ticket.source_tokens),
            max(target_tokens, ticket.job.search.max_tokens),
        )
