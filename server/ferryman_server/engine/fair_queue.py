"""The order in which sentences leave the queue: priority, then fair shares, then arrival.

Start-time fair queueing (Goyal et al. 1996, https://doi.org/10.1145/248156.248171), once for each
priority. Every client has a clock that its sentences advance by their cost, and whoever's clock is
behind goes next: a client that sends a thousand sentences waits for itself, not others for it. A
sentence that has waited for long rises to the next higher priority and keeps its place in the order
of clocks, which is before all who come later. So none waits for ever.

Nothing here is thread-safe or reads a clock of the world.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from ferryman_server.engine.job import Priority
from ferryman_server.engine.ticket import Ticket


class _Place(NamedTuple):
    """Where a ticket stands; the smallest is next."""

    level: int
    """0 for the highest priority."""
    tag: float
    """The client's clock when the ticket's turn would begin, in tokens."""
    number: int
    """How many came before."""


class FairQueue:
    """Tickets that wait.

    Args:
        ageing_seconds: After so long a ticket rises by one priority.
    """

    def __init__(self, *, ageing_seconds: float) -> None:
        self._ageing_seconds = ageing_seconds
        self._places: dict[Ticket, _Place] = {}
        self._order: list[_Place] = []
        self._tickets: dict[int, Ticket] = {}
        # Of each level but the highest: who came there when, some of whom have left meanwhile.
        self._arrivals: list[deque[tuple[float, Ticket]]] = [deque() for _ in Priority]
        self._costs = [0.0 for _ in Priority]
        self._clocks: dict[str, float] = {}
        self._backlogs: dict[str, float] = {}
        self._now = 0.0
        self._arrived = 0

    def __len__(self) -> int:
        """Return how many tickets wait."""
        return len(self._places)

    def __contains__(self, ticket: Ticket) -> bool:
        """Tell whether a ticket waits."""
        return ticket in self._places

    def __iter__(self) -> Iterator[Ticket]:
        """Yield the tickets, the next one first; nobody may come or leave meanwhile."""
        return (self._tickets[place.number] for place in self._order)

    def add(self, ticket: Ticket, now: float) -> None:
        """Let a ticket wait."""
        client, level = ticket.job.client, Priority.HIGH - ticket.job.priority
        tag = max(self._now, self._clocks.get(client, 0.0))
        self._clocks[client] = tag + ticket.cost
        self._backlogs[client] = self._backlogs.get(client, 0.0) + ticket.cost
        self._arrived += 1
        self._tickets[self._arrived] = ticket
        self._stand(ticket, _Place(level, tag, self._arrived), now)

    def serve(self, ticket: Ticket) -> None:
        """Take a ticket whose turn it is out of the queue; the clock of all goes on."""
        place = self._places[ticket]
        self._now = max(self._now + ticket.cost / len(self._backlogs), place.tag)
        self.remove(ticket)

    def remove(self, ticket: Ticket) -> None:
        """Take a ticket out of the queue for any other reason."""
        client = ticket.job.client
        place = self._leave(ticket)
        del self._tickets[place.number]
        self._backlogs[client] -= ticket.cost
        if self._backlogs[client] <= 0:
            del self._backlogs[client]
        if not self._places:
            self._clocks.clear()
            self._now = 0.0
        elif len(self._clocks) > 2 * len(self._backlogs) + 64:
            # Clocks that are not ahead say nothing that their absence would not say.
            self._clocks = {
                name: clock for name, clock in self._clocks.items() if clock > self._now
            }

    def age(self, now: float) -> None:
        """Raise the tickets that have waited for long."""
        for level in range(1, len(self._arrivals)):
            arrivals = self._arrivals[level]
            while arrivals and arrivals[0][0] + self._ageing_seconds <= now:
                _, ticket = arrivals.popleft()
                place = self._places.get(ticket)
                if place is not None and place.level == level:
                    self._stand(ticket, self._leave(ticket)._replace(level=level - 1), now)

    def cost_ahead(self, priority: Priority, client: str) -> float:
        """Return about how many tokens are decoded before a newcomer has its turn.

        Those of higher priority go first, and of its own priority as much of every client as the
        newcomer's own client has waiting.
        """
        level = Priority.HIGH - priority
        own = self._backlogs.get(client, 0.0)
        alike = min(self._costs[level], own * max(1, len(self._backlogs)))
        return sum(self._costs[:level]) + alike

    @property
    def cost(self) -> float:
        """Tokens that all who wait will take."""
        return sum(self._costs)

    def _stand(self, ticket: Ticket, place: _Place, now: float) -> None:
        self._places[ticket] = place
        insort(self._order, place)
        self._costs[place.level] += ticket.cost
        if place.level:
            self._arrivals[place.level].append((now, ticket))

    def _leave(self, ticket: Ticket) -> _Place:
        place = self._places.pop(ticket)
        del self._order[bisect_left(self._order, place)]
        self._costs[place.level] -= ticket.cost
        return place
