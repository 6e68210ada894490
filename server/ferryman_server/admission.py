"""Who may come in: so many calls at a time, nobody too many of them, and none while draining."""

from __future__ import annotations

import asyncio
import math
import time
import weakref
from typing import Final

from ferryman_server.errors import QueueFullError, QuotaExceededError, ServerDrainingError

_MOST_OF_THE_REST: Final = 8
"""A client may have at most this many times as many calls as it leaves room for."""


class Admission:
    """Counts the calls under way. Belongs to one event loop.

    Args:
        limit: The most calls at a time.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._under_way = 0
        self._calls_of: dict[str, int] = {}
        self._mean_seconds = 0.0
        self._closed = False
        # A future that nobody waits for any more is forgotten.
        self._closing: weakref.WeakSet[asyncio.Future[None]] = weakref.WeakSet()
        self._last_arrival = -math.inf
        self._empty = asyncio.Event()
        self._empty.set()

    @property
    def under_way(self) -> int:
        """Calls that have come in and not yet left."""
        return self._under_way

    def enter(self, client: str = "") -> None:
        """Let a call in; its `leave` must follow.

        Args:
            client: Who makes it.

        Raises:
            ServerDrainingError: The server takes no more.
            QueueFullError: There are too many already. One of them leaves about every mean call
                time divided by their number, so the newcomer should come back after that time.
            QuotaExceededError: There is room, but not for more calls of this client.
        """
        self._last_arrival = time.monotonic()
        if self._closed:
            raise ServerDrainingError
        if self._under_way >= self._limit:
            raise QueueFullError(
                f"{self._under_way} calls are under way, which is the most this server takes",
                retry_after=max(self._mean_seconds, 0.1),
            )
        own = self._calls_of.get(client, 0)
        if own > _MOST_OF_THE_REST * (self._limit - self._under_way):
            raise QuotaExceededError(
                f"{own} calls of {client or 'this client'} are under way, which is its share",
                subject=f"client:{client}",
                retry_after=max(self._mean_seconds, 0.1),
            )
        self._calls_of[client] = own + 1
        self._under_way += 1
        self._empty.clear()

    def leave(self, seconds: float, client: str = "") -> None:
        """Let a call out, its answer sent.

        Args:
            seconds: How long it took.
            client: Who made it.
        """
        self._under_way -= 1
        self._calls_of[client] -= 1
        if not self._calls_of[client]:
            del self._calls_of[client]
        self._mean_seconds += 0.1 * (seconds - self._mean_seconds)
        if self._under_way == 0:
            self._empty.set()

    def close(self) -> None:
        """Let no more calls in; those under way go on."""
        self._closed = True
        for waiting in self._closing:
            if not waiting.done():
                waiting.set_result(None)

    def closing(self) -> asyncio.Future[None]:
        """Return what is done when no more calls are let in, for calls that last."""
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self._closed:
            waiting.set_result(None)
        self._closing.add(waiting)
        return waiting

    async def wait_until_empty(self, timeout: float) -> bool:
        """Wait until the last call has left.

        Args:
            timeout: Seconds to wait.

        Returns:
            Whether it has.
        """
        try:
            await asyncio.wait_for(self._empty.wait(), timeout)
        except TimeoutError:
            return False
        return True

    async def wait_until_quiet(self, seconds: float, *, timeout: float) -> None:
        """Wait until nobody has come, not even to be refused, for a while.

        Args:
            seconds: How long nobody has come.
            timeout: Seconds to wait at most.
        """
        give_up = time.monotonic() + timeout
        while (now := time.monotonic()) < min(give_up, self._last_arrival + seconds):
            await asyncio.sleep(min(give_up, self._last_arrival + seconds) - now)
