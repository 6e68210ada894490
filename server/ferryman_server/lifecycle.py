"""From SERVING to the end of the process: signals, draining, and an engine that fails."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import Enum, auto
from typing import Final, Protocol

from ferryman_server.server import Server

_log = logging.getLogger("ferryman.server")

_ENGINE_CHECK_SECONDS: Final = 0.2
"""Between two looks at the engine; it has no event loop to tell of its failure in."""
_LAST_ANSWERS_SECONDS: Final = 1.0
"""For the errors that calls get of a failed engine."""


class Failing(Protocol):
    """What may fail for good: the engine."""

    @property
    def failed(self) -> BaseException | None:
        """Why it takes no more work, once it has failed."""


class End(Enum):
    """Why a server ended."""

    STOPPED = auto()
    """A signal, and every call finished."""
    CUT_OFF = auto()
    """A signal, and calls that took longer than they were given."""
    ENGINE_FAILED = auto()
    """The engine failed; a server that cannot translate must not look as if it could."""

    @property
    def exit_code(self) -> int:
        """What the process ends with."""
        return 1 if self is End.ENGINE_FAILED else 0


async def serve_until_end(server: Server, engine: Failing, *, drain_seconds: float) -> End:
    """Serve until SIGTERM or SIGINT, or until the engine fails.

    A second signal while the server drains cuts off what is still under way.

    Args:
        server: Listening.
        engine: What translates.
        drain_seconds: How long calls may take to finish after the signal.
    """
    async with _signals() as signals:
        stop = asyncio.ensure_future(signals.get())
        failure = asyncio.ensure_future(_failure(engine))
        await asyncio.wait({stop, failure}, return_when=asyncio.FIRST_COMPLETED)
        failure.cancel()
        if not stop.done():
            stop.cancel()
            _log.error("the engine failed; the server ends", exc_info=engine.failed)
            await server.drain(_LAST_ANSWERS_SECONDS)
            return End.ENGINE_FAILED
        _log.info(
            "draining",
            extra={"facts": {"signal": stop.result(), "calls": server.calls_under_way}},
        )
        return await _drain(server, signals, drain_seconds)


async def _drain(server: Server, signals: asyncio.Queue[str], drain_seconds: float) -> End:
    draining = asyncio.ensure_future(server.drain(drain_seconds))
    again = asyncio.ensure_future(signals.get())
    await asyncio.wait({draining, again}, return_when=asyncio.FIRST_COMPLETED)
    again.cancel()
    if not draining.done():
        draining.cancel()
    finished = draining.done() and draining.result()
    _log.info("stopped", extra={"facts": {"finished": finished}})
    return End.STOPPED if finished else End.CUT_OFF


async def _failure(engine: Failing) -> None:
    while engine.failed is None:
        await asyncio.sleep(_ENGINE_CHECK_SECONDS)


@asynccontextmanager
async def _signals() -> AsyncIterator[asyncio.Queue[str]]:
    """Put the name of each SIGTERM and SIGINT into a queue, while this is open."""
    loop = asyncio.get_running_loop()
    arrived: asyncio.Queue[str] = asyncio.Queue()
    watched = (signal.SIGTERM, signal.SIGINT)
    for number in watched:
        loop.add_signal_handler(number, arrived.put_nowait, number.name)
    try:
        yield arrived
    finally:
        for number in watched:
            loop.remove_signal_handler(number)
