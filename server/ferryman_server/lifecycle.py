"""From SERVING to the end of the process: signals, draining, and an engine that fails."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from enum import Enum, auto
from typing import Final, Protocol

from ferryman_server.server import Server

_log = logging.getLogger("ferryman.server")

_LAST_ANSWERS_SECONDS: Final = 1.0
"""For the errors that calls get of a failed engine."""


class Failing(Protocol):
    """What may fail for good: the engine."""

    def on_failure(self, callback: Callable[[BaseException], None]) -> None:
        """Call back, from any thread, with what it died of."""


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


Signals = asyncio.Queue[str]
"""Names of the signals that have arrived."""


@asynccontextmanager
async def caught_signals() -> AsyncIterator[Signals]:
    """Catch SIGTERM and SIGINT while open: before anybody hears of the server, and after."""
    loop = asyncio.get_running_loop()
    arrived: Signals = asyncio.Queue()
    watched = (signal.SIGTERM, signal.SIGINT)
    for number in watched:
        loop.add_signal_handler(number, arrived.put_nowait, number.name)
    try:
        yield arrived
    finally:
        for number in watched:
            loop.remove_signal_handler(number)


async def serve_until_end(
    server: Server, engine: Failing, signals: Signals, *, drain_seconds: float
) -> End:
    """Serve until a signal arrives, or until the engine fails.

    A second signal while the server drains cuts off what is still under way.

    Args:
        server: Listening.
        engine: What translates.
        signals: As `caught_signals` gives them.
        drain_seconds: How long calls may take to finish after the signal.
    """
    stop = asyncio.ensure_future(signals.get())
    failures: asyncio.Queue[BaseException] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def tell(error: BaseException) -> None:
        with suppress(RuntimeError):  # the loop may be closed by then
            loop.call_soon_threadsafe(failures.put_nowait, error)

    engine.on_failure(tell)
    failure = asyncio.ensure_future(failures.get())
    await asyncio.wait({stop, failure}, return_when=asyncio.FIRST_COMPLETED)
    if not stop.done():
        stop.cancel()
        _log.error("the engine failed; the server ends", exc_info=failure.result())
        await server.drain(_LAST_ANSWERS_SECONDS)
        return End.ENGINE_FAILED
    failure.cancel()
    facts = {"signal": stop.result(), "calls": server.calls_under_way}
    _log.info("draining", extra={"facts": facts})
    return await _drain(server, signals, drain_seconds)


async def _drain(server: Server, signals: Signals, drain_seconds: float) -> End:
    draining = asyncio.ensure_future(server.drain(drain_seconds))
    again = asyncio.ensure_future(signals.get())
    await asyncio.wait({draining, again}, return_when=asyncio.FIRST_COMPLETED)
    again.cancel()
    if not draining.done():
        draining.cancel()
    finished = draining.done() and draining.result()
    _log.info("stopped", extra={"facts": {"finished": finished}})
    return End.STOPPED if finished else End.CUT_OFF
