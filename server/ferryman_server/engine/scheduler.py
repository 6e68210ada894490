"""Who may wait, and who boards.

Who may wait: whoever there is room for, whose turn would come soon enough, and who does not have
too much of the queue already. Who boards: whoever is next in the fair order and fits. A ticket that
does not fit holds up those behind it, of every beam width, so none is passed over for ever. Whoever
fits boards at once, if only one row is free: what is encoded along with those who board spares the
encoder from working on single sentences.

Nothing here is thread-safe or reads a clock: the engine calls it under its lock.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import Final

from ferryman_server.engine.encoding import companions
from ferryman_server.engine.errors import DeadlineError, OverloadedError, Phase, QuotaError
from ferryman_server.engine.fair_queue import FairQueue
from ferryman_server.engine.load import Load
from ferryman_server.engine.speed import Speed
from ferryman_server.engine.ticket import Ticket

_MOST_OF_THE_REST: Final = 8
"""A client that has more than this many times what is left of the queue gets no more of it: one
alone has eight ninths, another one eight ninths of the rest, and there is room for a third.
(Dynamic thresholds: Choudhury and Hahne 1998, https://doi.org/10.1109/90.664262.)"""


class Scheduler:
    """The queue, and the policy by which it fills and empties.

    Args:
        max_rows: The most hypotheses in the running batches of one worker.
        max_batch_tokens: The most tokens, of sources and targets, that they may grow to.
        max_lanes: The most of them at a time; None for any number.
        max_queued_tokens: The most source tokens in the queue.
        max_wait_seconds: Nobody is let in whose turn would come later than this.
        ageing_seconds: After so long a ticket rises by one priority.
    """

    def __init__(
        self,
        *,
        max_rows: int,
        max_batch_tokens: int,
        max_queued_tokens: int,
        max_lanes: int | None = None,
        max_wait_seconds: float = math.inf,
        ageing_seconds: float = 10.0,
    ) -> None:
        self.max_rows = max_rows
        self.max_batch_tokens = max_batch_tokens
        self.max_lanes = max_lanes
        self.max_queued_tokens = max_queued_tokens
        self._max_wait_seconds = max_wait_seconds
        self.queued_tokens = 0
        self._waiting = FairQueue(ageing_seconds=ageing_seconds)
        self._tokens_of: dict[str, int] = {}
        self._next_deadline = math.inf
        self._speed = Speed()

    def __len__(self) -> int:
        """Return how many tickets wait."""
        return len(self._waiting)

    def enqueue(self, tickets: Sequence[Ticket], now: float) -> None:
        """Let the tickets of one caller wait, all or none.

        Raises:
            OverloadedError: The queue has no room for all of them now, or their turn would come
                too late; or, as QuotaError, their client has its share of it.
            DeadlineError: Their deadline would pass before their turn.
            ValueError: There never will be room.
        """
        tokens = sum(ticket.source_tokens for ticket in tickets)
        if tokens > self.max_queued_tokens:
            raise ValueError(
                f"{len(tickets)} jobs have {tokens} source tokens, but the queue holds at most "
                f"{self.max_queued_tokens}; submit fewer at a time"
            )
        if tickets:
            self._check_room(tickets[0].job.client, tokens)
            self._check_time(tickets, now)
        for ticket in tickets:
            self._waiting.add(ticket, now)
            self._count(ticket, 1)
            if ticket.job.deadline is not None:
                self._next_deadline = min(self._next_deadline, ticket.job.deadline)

    def _check_room(self, client: str, tokens: int) -> None:
        left = self.max_queued_tokens - self.queued_tokens
        if tokens > left:
            raise OverloadedError(self._seconds_for_source_tokens(tokens - left))
        excess = self._tokens_of.get(client, 0) - _MOST_OF_THE_REST * left
        if excess > 0:
            raise QuotaError(self._seconds_for_source_tokens(excess))

    def _check_time(self, tickets: Sequence[Ticket], now: float) -> None:
        job = tickets[0].job
        wait = self._speed.seconds_for(self._waiting.cost_ahead(job.priority, job.client))
        if wait > self._max_wait_seconds:
            raise OverloadedError(wait - self._max_wait_seconds)
        deadline = min(
            (t.job.deadline for t in tickets if t.job.deadline is not None), default=None
        )
        # A deadline that is past already is for `expire`, which counts it as what it is.
        if deadline is not None and now < deadline < now + wait:
            raise DeadlineError(Phase.QUEUED)

    def withdraw(self, ticket: Ticket) -> bool:
        """Take a ticket out of the queue; False if it is not in it."""
        if ticket not in self._waiting:
            return False
        self._waiting.remove(ticket)
        self._count(ticket, -1)
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
        self._waiting.age(now)
        load = Load(self.max_rows, self.max_batch_tokens, self.max_lanes)
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
            self._waiting.serve(ticket)
            self._count(ticket, -1)
        self._speed.note(sum(t.cost for t in boarders), now, is_busy=bool(self._waiting))
        return boarders

    def companions(self, boarders: Sequence[Ticket]) -> list[Ticket]:
        """Return who still waits and is to be encoded along with those who board."""
        return companions(boarders, self._waiting)

    @property
    def estimated_wait(self) -> float:
        """Seconds until what waits now has left, at the latest speed; 0 if nobody waits."""
        return self._speed.seconds_for(self._waiting.cost)

    def clear(self) -> list[Ticket]:
        """Take all tickets out of the queue."""
        tickets = list(self._waiting)
        for ticket in tickets:
            self.withdraw(ticket)
        self._next_deadline = math.inf
        return tickets

    def _count(self, ticket: Ticket, sign: int) -> None:
        """Count a ticket into the queue, or out of it."""
        client, tokens = ticket.job.client, sign * ticket.source_tokens
        self.queued_tokens += tokens
        left = self._tokens_of.get(client, 0) + tokens
        if left:
            self._tokens_of[client] = left
        else:
            del self._tokens_of[client]

    def _seconds_for_source_tokens(self, tokens: float) -> float:
        """Return the seconds until so many source tokens have left, being as costly as the rest."""
        cost = tokens * self._waiting.cost / max(1, self.queued_tokens)
        return self._speed.seconds_for(cost, unknown=1.0)
