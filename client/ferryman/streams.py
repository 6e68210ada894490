"""A translation that is read while it comes about, on either of gRPC's two stacks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Protocol

import grpc

from ferryman.calls import wait_after
from ferryman.errors import ErrorDetails, ServerError
from ferryman.results import Translation
from ferryman.retry import Attempts
from ferryman.v1 import translation_service_pb2 as messages
from ferryman.wire import translations_of

Event = messages.StreamTranslateTextResponse


class Started(Protocol):
    """A stream of the blocking stack that is under way."""

    def __iter__(self) -> Iterator[Event]: ...

    def cancel(self) -> object:
        """Give the call up."""


class StartedAsync(Protocol):
    """A stream of the asyncio stack that is under way."""

    def __aiter__(self) -> AsyncIterator[Event]: ...

    def cancel(self) -> object:
        """Give the call up."""


class _Pieces:
    """What both kinds of streams know of their translation."""

    def __init__(self, text: str, attempts: Attempts, address: str) -> None:
        self._text = text
        self._attempts = attempts
        self._address = address
        self._translation: Translation | None = None
        self._begun = False

    @property
    def translation(self) -> Translation:
        """The whole translation, once all pieces are read.

        Raises:
            RuntimeError: They are not.
        """
        if self._translation is None:
            raise RuntimeError("the translation is not complete: read the stream to its end first")
        return self._translation

    def _piece(self, event: Event) -> str:
        """Return the piece of an event; empty for the last one, which has the translation.

        Raises:
            FerrymanError: The text could not be translated.
        """
        self._begun = True
        if event.WhichOneof("event") != "result":
            return event.delta.text
        (self._translation,) = translations_of(event.result, [self._text])
        if self._translation.error is not None:
            raise self._translation.error
        return ""

    def _wait_after(self, fault: grpc.RpcError) -> float:
        """Return the seconds until the next attempt; there is none once something was read.

        Raises:
            FerrymanError: There is no next attempt.
        """
        return wait_after(fault, self._attempts, self._address, again=not self._begun)

    def _finish(self) -> None:
        self._attempts.succeeded()
        if self._translation is None:
            raise ServerError(
                "the server broke its contract: the stream ended without a translation",
                ErrorDetails(status="INTERNAL"),
            )


class TranslationStream(_Pieces):
    """The pieces of a translation, in order; what was read is never taken back.

    >>> with client.stream("The ferry leaves at noon.", target="fr") as stream:
    ...     for piece in stream:
    ...         print(piece, end="", flush=True)
    ...     print(stream.translation.score)

    Leaving the block, or `close`, cancels what is still under way.
    """

    def __init__(
        self, text: str, start: Callable[[float], Started], attempts: Attempts, address: str
    ) -> None:
        super().__init__(text, attempts, address)
        self._start = start
        self._call = start(attempts.deadline.remaining())
        self._iterator = self._read()

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        return next(self._iterator)

    def _read(self) -> Iterator[str]:
        try:
            while True:
                try:
                    for event in self._call:
                        if piece := self._piece(event):
                            yield piece
                except grpc.RpcError as fault:
                    wait = self._wait_after(fault)
                else:
                    return self._finish()
                time.sleep(wait)
                self._call = self._start(self._attempts.deadline.remaining())
        finally:
            self._call.cancel()

    def close(self) -> None:
        """Give the translation up, if it is not complete."""
        self._call.cancel()

    def __enter__(self) -> TranslationStream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class AsyncTranslationStream(_Pieces):
    """As `TranslationStream`, with ``async with`` and ``async for``."""

    def __init__(
        self, text: str, start: Callable[[float], StartedAsync], attempts: Attempts, address: str
    ) -> None:
        super().__init__(text, attempts, address)
        self._start = start
        self._call = start(attempts.deadline.remaining())
        self._iterator = self._read()

    def __aiter__(self) -> AsyncIterator[str]:
        return self

    async def __anext__(self) -> str:
        return await anext(self._iterator)

    async def _read(self) -> AsyncIterator[str]:
        try:
            while True:
                try:
                    async for event in self._call:
                        if piece := self._piece(event):
                            yield piece
                except grpc.RpcError as fault:
                    wait = self._wait_after(fault)
                else:
                    self._finish()
                    return
                await asyncio.sleep(wait)
                self._call = self._start(self._attempts.deadline.remaining())
        finally:
            self._call.cancel()

    async def close(self) -> None:
        """Give the translation up, if it is not complete."""
        self._call.cancel()

    async def __aenter__(self) -> AsyncTranslationStream:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
