"""How much running batches hold, and whether there is room for one more."""

from __future__ import annotations

from ferryman_server.engine.ticket import LaneKey, Ticket


class Load:
    """What running batches hold, and what they may grow to.

    Every source of a lane is padded to the longest, and its caches hold as many tokens as the
    longest target of the lane may have.

    Args:
        max_rows: The most hypotheses.
        max_tokens: The most tokens that there may come to be.
        max_lanes: The most running batches; None for any number.
    """

    def __init__(self, max_rows: int, max_tokens: int, max_lanes: int | None = None) -> None:
        self.rows = 0
        self._max_lanes = max_lanes
        self._max_rows = max_rows
        self._max_tokens = max_tokens
        self._lanes: dict[LaneKey, tuple[int, int, int]] = {}

    def fits(self, ticket: Ticket) -> bool:
        """Tell whether there is room for a ticket; there always is for one alone."""
        if not self.rows:
            return True
        lanes = self._lanes | {ticket.lane: self._lane_with(ticket)}
        if self._max_lanes is not None and len(lanes) > self._max_lanes:
            return False
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
