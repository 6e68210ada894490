"""One call to the server with its retries, on either of gRPC's two stacks."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, Protocol, TypeVar

import grpc

from ferryman.retry import Attempts
from ferryman.statuses import error_of_call

_log = logging.getLogger("ferryman")

Response = TypeVar("Response")
Response_co = TypeVar("Response_co", covariant=True)


class Started(Protocol[Response_co]):
    """A gRPC call of the blocking stack that is under way."""

    def result(self) -> Response_co:
        """Wait for the answer."""

    def cancel(self) -> object:
        """Give the call up."""


class StartedAsync(Protocol[Response_co]):
    """A gRPC call of the asyncio stack that is under way."""

    def __await__(self) -> Generator[object, None, Response_co]: ...

    def cancel(self) -> object:
        """Give the call up."""


class Cancellable(Protocol):
    """A call of any kind that is under way."""

    def cancel(self) -> object:
        """Give the call up."""


StartedT = TypeVar("StartedT", bound=Cancellable)


class Starter:
    """Starts calls where Ctrl-C cannot interrupt that.

    gRPC's blocking stack does not survive a KeyboardInterrupt while it starts a call: one that it
    has counted and handed to nobody keeps the channel from closing, for ever. Python raises it in
    the main thread only, so the calls of that thread are started by another one.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ferryman-start")

    def start(self, begin: Callable[[], StartedT]) -> StartedT:
        """Return the call that ``begin`` starts; an interrupt cancels it, whenever it comes."""
        if threading.current_thread() is not threading.main_thread():
            return begin()
        started: list[StartedT] = []
        abandoned = threading.Event()

        def run() -> StartedT:
            call = begin()
            started.append(call)
            if abandoned.is_set():
                call.cancel()
            return call

        try:
            return self._thread.submit(run).result()
        except KeyboardInterrupt:
            abandoned.set()
            for call in started:
                call.cancel()
            raise

    def close(self) -> None:
        """Start no more calls; return when none is being started."""
        self._thread.shutdown()


class Call(Generic[Response]):
    """A call that is under way from the moment that it exists.

    Args:
        start: Starts one attempt, which may take so many seconds.
        attempts: When to try again, and until when.
        address: Address that is called, for messages.
    """

    def __init__(
        self, start: Callable[[float], Started[Response]], attempts: Attempts, address: str
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
                    wait = wait_after(fault, self._attempts, self._address)
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
        self, start: Callable[[float], StartedAsync[Response]], attempts: Attempts, address: str
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
                    wait = wait_after(fault, self._attempts, self._address)
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


def wait_after(
    fault: grpc.RpcError, attempts: Attempts, address: str, *, again: bool = True
) -> float:
    """Return the seconds until the next attempt.

    Args:
        fault: How the last attempt ended.
        attempts: When to try again.
        address: Address that was called, for messages.
        again: Whether there may be another attempt at all.

    Raises:
        FerrymanError: There is no next attempt; this is why the call failed.
    """
    error = error_of_call(fault, address=address, timeout=attempts.deadline.timeout)
    wait = attempts.wait_after(error) if again else None
    if wait is None:
        raise error from fault
    _log.info("trying %s again in %.1f s: %s", address, wait, error)
    return wait
