"""One call to the server with its retries, on either of gRPC's two stacks."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Generator
from typing import Generic, Protocol, TypeVar

import grpc

from ferryman.retry import Attempts
from ferryman.statuses import error_of_call

_log = logging.getLogger("ferryman")

Response = TypeVar("Response")
Response_co = TypeVar("Response_co", covariant=True)


class _Started(Protocol[Response_co]):
    """A gRPC call of the blocking stack that is under way."""

    def result(self) -> Response_co: ...
    def cancel(self) -> object: ...


class _StartedAsync(Protocol[Response_co]):
    """A gRPC call of the asyncio stack that is under way."""

    def __await__(self) -> Generator[object, None, Response_co]: ...
    def cancel(self) -> object: ...


class Call(Generic[Response]):
    """A call that is under way from the moment that it exists.

    Args:
        start: Starts one attempt, which may take so many seconds.
        attempts: When to try again, and until when.
        address: Address that is called, for messages.
    """

    def __init__(
        self, start: Callable[[float], _Started[Response]], attempts: Attempts, address: str
    ) -> None:
        self._start = start
        self._attempts = attempts
        self._address = address
        self._attempt = start(attempts.deadline.remaining())

    def result(self) -> Response:
        """Wait for the answer, trying again where that may help.

        Raises:
            FerrymanError: There is none.
        """
        try:
            while True:
                try:
                    response = self._attempt.result()
                except grpc.RpcError as fault:
                    wait = _wait_after(fault, self._attempts, self._address)
                else:
                    self._attempts.succeeded()
                    return response
                time.sleep(wait)
                self._attempt = self._start(self._attempts.deadline.remaining())
        finally:
            self.cancel()

    def cancel(self) -> None:
        """Give the call up, so that the server stops working on it; nothing if it is over."""
        self._attempt.cancel()


class AsyncCall(Generic[Response]):
    """As `Call`, on the running event loop."""

    def __init__(
        self, start: Callable[[float], _StartedAsync[Response]], attempts: Attempts, address: str
    ) -> None:
        self._start = start
        self._attempts = attempts
        self._address = address
        self._attempt = start(attempts.deadline.remaining())

    async def result(self) -> Response:
        """Wait for the answer, trying again where that may help.

        Raises:
            FerrymanError: There is none.
        """
        try:
            while True:
                try:
                    response = await self._attempt
                except grpc.RpcError as fault:
                    wait = _wait_after(fault, self._attempts, self._address)
                else:
                    self._attempts.succeeded()
                    return response
                await asyncio.sleep(wait)
                self._attempt = self._start(self._attempts.deadline.remaining())
        finally:
            # gRPC lets an abandoned asyncio call run on for ever, on the server too.
            self.cancel()

    def cancel(self) -> None:
        """Give the call up, so that the server stops working on it; nothing if it is over."""
        self._attempt.cancel()


def _wait_after(fault: grpc.RpcError, attempts: Attempts, address: str) -> float:
    """Return the seconds until the next attempt.

    Raises:
        FerrymanError: There is no next attempt; this is why the call failed.
    """
    error = error_of_call(fault, address=address, timeout=attempts.deadline.timeout)
    wait = attempts.wait_after(error)
    if wait is None:
        raise error from fault
    _log.info("trying %s again in %.1f s: %s", address, wait, error)
    return wait
