"""What a client keeps from call to call, whichever of gRPC's two stacks it uses."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from ferryman.channel import Tls, metadata_of, options_of, target_of
from ferryman.chunking import ChunkSize
from ferryman.retry import Attempts, Deadline, Retry, RetryBudget

Deadlines = Callable[[], Deadline]
"""Gives each request of one call its deadline."""


class Session:
    """Address, chunk size and retry budget of one client.

    Args:
        address: See `Client`, as for all arguments.
        timeout: Seconds of a request that has no timeout of its own.
        retry: When to repeat a request.
        concurrency: Requests that are on the way at the same time.
        tls: How to speak TLS; None: plain text.
        api_key: Key that the server asks for.
    """

    def __init__(
        self,
        address: str,
        *,
        timeout: float,
        retry: Retry,
        concurrency: int,
        tls: Tls | None = None,
        api_key: str | None = None,
    ) -> None:
        Deadline.after(timeout)  # a wrong timeout is reported here, not by the first call
        if concurrency < 1:
            raise ValueError(f"concurrency is at least 1 request at a time, not {concurrency}")
        self.target = target_of(address)
        self.options = options_of(self.target, tls)
        self.credentials = None if tls is None else tls.credentials()
        """Of TLS; None: plain text."""
        self.metadata = metadata_of(api_key)
        """Headers of every call."""
        self.concurrency = concurrency
        self.chunk_size: ChunkSize | None = None
        """How much a request may hold; None until the server was asked."""
        self._timeout = timeout
        self._retry = retry
        self._budget = RetryBudget()
        self._closed = False

    def attempts(self, deadline: Deadline) -> Attempts:
        """Return the attempts of a request that has to be over at the deadline.

        Raises:
            RuntimeError: The client is closed.
        """
        if self._closed:
            raise RuntimeError("this client is closed")
        return Attempts(self._retry, self._budget, deadline)

    def deadline(self, timeout: float | None) -> Deadline:
        """Return the deadline of a request that begins now."""
        return Deadline.after(self._timeout if timeout is None else timeout)

    def deadlines(self, timeout: float | None) -> Deadlines:
        """Return the deadlines of the requests that make up one call.

        With a timeout they share one, which bounds the call; else each has the client's.
        """
        if timeout is None:
            return partial(self.deadline, None)
        shared = self.deadline(timeout)
        return lambda: shared

    def close(self) -> None:
        """Begin no more requests."""
        self._closed = True
