"""A server for its own process alone: ``--local`` of the client's verbs.

It is the server that `ferryman serve` starts, on a socket that only this user can open. So what is
translated without a server is to the bit what a server would answer, with the same limits and
errors.
"""

from __future__ import annotations

import asyncio
import datetime
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

from ferryman_server.catalogue import Catalogue
from ferryman_server.config import ServerConfig, load_config
from ferryman_server.description import ServerDescription
from ferryman_server.installed_models import find_bundle
from ferryman_server.limits import ConnectionLimits, Limits
from ferryman_server.loading import device_of, load_bundle, model_of, running_engine
from ferryman_server.metrics import Metrics
from ferryman_server.model import Model
from ferryman_server.server import Server


@contextmanager
def local_server(bundle: str | None = None) -> Iterator[str]:
    """Serve a bundle while the block runs.

    Args:
        bundle: Directory of a bundle, its packed form, or name of an installed model; None: the
            model that is installed.

    Yields:
        The address, which is of no use to other users of the machine.

    Raises:
        StartError: The bundle cannot be served; the message says why.
    """
    config = load_config({})
    loaded = load_bundle(find_bundle(bundle), config)
    with (
        tempfile.TemporaryDirectory(prefix="ferryman-") as folder,  # which only its owner may enter
        running_engine(loaded, config) as engine,
    ):
        model = model_of(loaded, engine, config)
        address = f"unix:{Path(folder) / 'socket'}"
        ready: Ready = Future()
        thread = threading.Thread(
            target=lambda: asyncio.run(_serve(model, config, address, ready)),
            name="ferryman-local",
        )
        thread.start()
        end, loop = ready.result()
        try:
            yield address
        finally:
            loop.call_soon_threadsafe(end.set)
            thread.join()


Ready = Future[tuple[asyncio.Event, asyncio.AbstractEventLoop]]
"""Is given what ends the server, and the loop to set it in; or why there is no server."""


async def _serve(model: Model, config: ServerConfig, address: str, ready: Ready) -> None:
    """Serve from the moment that ``ready`` has a result until its event is set."""
    end = asyncio.Event()
    description = ServerDescription(
        version=version("ferryman"),
        device=device_of(config),
        started=datetime.datetime.now(datetime.UTC),
    )
    server = Server(
        Catalogue([model]),
        address=address,
        description=description,
        limits=Limits(max_queued_tokens=config.max_queued_tokens),
        connections=ConnectionLimits(),
        metrics=Metrics(),
    )
    try:
        async with server:
            ready.set_result((end, asyncio.get_running_loop()))
            await end.wait()
    except BaseException as error:
        if ready.done():
            raise
        ready.set_exception(error)
