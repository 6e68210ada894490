"""How fast the queue empties, in tokens of estimated cost a second."""

from __future__ import annotations

from collections import deque
from typing import Final

_LONGEST_SECONDS: Final = 60.0
"""The most that anybody is told to wait."""
_SHORTEST_SECONDS: Final = 0.05


class Speed:
    """Measured at the moments at which tickets board, while others wait.

    A queue that was empty tells nothing of how fast it could empty, so what is known from the last
    busy time stays.
    """

    def __init__(self) -> None:
        self._departures: deque[tuple[float, float]] = deque(maxlen=64)
        self._per_second: float | None = None

    def note(self, cost: float, now: float, *, is_busy: bool) -> None:
        """Count tickets that boarded.

        Args:
            cost: Of all of them together.
            now: The moment.
            is_busy: Whether others still wait; where none does, the next measurement starts anew.
        """
        if cost:
            self._departures.append((now, cost))
            seconds = now - self._departures[0][0]
            if seconds > 0:
                # The first ones boarded a batch that was there anyway.
                self._per_second = sum(c for _, c in list(self._departures)[1:]) / seconds
        if not is_busy:
            self._departures.clear()

    def seconds_for(self, cost: float, *, unknown: float = 0.0) -> float:
        """Return how long so much takes to leave the queue.

        Args:
            cost: In tokens.
            unknown: What to say before anything was measured.
        """
        if not cost:
            return 0.0
        if not self._per_second:
            return unknown
        return min(_LONGEST_SECONDS, max(_SHORTEST_SECONDS, cost / self._per_second))
