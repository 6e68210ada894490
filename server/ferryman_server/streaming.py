"""A request whose translations are told while they come about."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress

from ferryman_server.live_text import Delta, LiveTexts
from ferryman_server.request import TranslationRequest
from ferryman_server.translation import TranslationResult
from ferryman_server.translator import Translator


async def stream_translation(
    translator: Translator, request: TranslationRequest
) -> AsyncGenerator[Delta | TranslationResult, None]:
    """Yield what becomes certain of the translations, and the result last.

    Whoever takes late gets larger pieces and holds up nobody. Closing this cancels the work.

    Args:
        translator: What translates.
        request: What is asked for.

    Raises:
        ServiceError: As `Translator.translate`.
    """
    live = LiveTexts()
    work = asyncio.ensure_future(translator.translate(request, live))
    change = asyncio.ensure_future(live.wait())
    try:
        while not work.done():
            await asyncio.wait({work, change}, return_when=asyncio.FIRST_COMPLETED)
            if change.done():
                change = asyncio.ensure_future(live.wait())
                for delta in live.take():
                    yield delta
        result = work.result()
        for delta in (*live.take(), *live.finish(result.texts)):
            yield delta
        yield result
    finally:
        change.cancel()
        work.cancel()
        with suppress(asyncio.CancelledError, Exception):
            await work
