"""A batch: texts that come one by one, are translated side by side, and answered when done."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from ferryman_server.errors import (
    QueueFullError,
    QuotaExceededError,
    ServerDrainingError,
    ServiceError,
)
from ferryman_server.request import TranslationRequest
from ferryman_server.translation import TranslationResult
from ferryman_server.translator import Translator

_log = logging.getLogger("ferryman.call")
_LONGEST_PAUSE: Final = 1.0
"""Seconds before a text that found the queue full asks again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchText:
    """A text of a batch."""

    id: int
    """Its sender's name for it."""
    request: TranslationRequest | ServiceError
    """With this one text; or what is wrong with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchOutcome:
    """What has become of a text."""

    id: int
    answer: TranslationResult | Exception


class Batch:
    """Translates the texts of one stream, so many at a time.

    No more is read while that many are under way or wait to be taken; whoever sends them is held up
    by the transport. A text that fails is an outcome like any other.

    Args:
        translator: What translates.
        max_texts: The most texts at a time.
        closing: Done when the server takes nothing new.
    """

    def __init__(
        self, translator: Translator, *, max_texts: int, closing: asyncio.Future[None]
    ) -> None:
        self._translator = translator
        self._closing = closing
        self._places = asyncio.Semaphore(max_texts)
        self._outcomes: asyncio.Queue[BatchOutcome | None] = asyncio.Queue()

    async def outcomes(self, texts: AsyncIterator[BatchText]) -> AsyncGenerator[BatchOutcome, None]:
        """Yield what has become of each text, in any order. Closing this cancels the work.

        Raises:
            ServerDrainingError: The server stops. What was read by then has been answered.
            Exception: What the texts raised, after all that came before is answered.
        """
        reading = asyncio.ensure_future(self._read(texts))
        try:
            while (outcome := await self._outcomes.get()) is not None:
                yield outcome
                self._places.release()
            await reading
        finally:
            reading.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await reading

    async def _read(self, texts: AsyncIterator[BatchText]) -> None:
        """Start the work on each text; at the end, wait until all of it is done."""
        fault: Exception | None = None
        try:
            async with asyncio.TaskGroup() as tasks:
                try:
                    while (text := await self._next(texts)) is not None:
                        tasks.create_task(self._translate(text))
                except Exception as error:  # those under way are answered all the same
                    fault = error
        finally:
            self._outcomes.put_nowait(None)
        if fault is not None:
            raise fault

    async def _next(self, texts: AsyncIterator[BatchText]) -> BatchText | None:
        """Return the next text, once there is a place for it; None after the last."""
        await self._places.acquire()
        text = asyncio.ensure_future(_first(texts))
        try:
            both: set[asyncio.Future[Any]] = {text, self._closing}
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            if not text.done():
                raise ServerDrainingError
            return text.result()
        finally:
            text.cancel()

    async def _translate(self, text: BatchText) -> None:
        answer: TranslationResult | Exception
        try:
            if isinstance(text.request, ServiceError):
                raise text.request
            answer = await self._patiently(text.request)
        except ServiceError as error:
            answer = error
        except Exception as error:
            _log.exception("a text of a batch failed")
            answer = error
        self._outcomes.put_nowait(BatchOutcome(id=text.id, answer=answer))

    async def _patiently(self, request: TranslationRequest) -> TranslationResult:
        """Translate; while the queue has no room, wait: that holds up the sender, who can."""
        while True:
            try:
                return await self._translator.translate(request)
            except (QueueFullError, QuotaExceededError) as error:
                await asyncio.sleep(min(error.retry_after or 0.0, _LONGEST_PAUSE))


async def _first(texts: AsyncIterator[BatchText]) -> BatchText | None:
    return await anext(texts, None)
