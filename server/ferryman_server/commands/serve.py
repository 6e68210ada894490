"""``ferryman serve``: serve a bundle over gRPC until a signal."""

from __future__ import annotations

import asyncio
import datetime
import inspect
import os
import signal
import sys
from importlib.metadata import version
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

import typer

from ferryman_server.commands.config_options import bundle_argument, config_options
from ferryman_server.config import CONFIG_VARIABLE, ServerConfig, load_config

if TYPE_CHECKING:
    from ferryman_server.catalogue import Model
    from ferryman_server.engine import Engine
    from ferryman_server.metrics import Metrics

app = typer.Typer(add_completion=False, rich_markup_mode="rich")


def serve(*, config: str | None, **flags: str | None) -> None:
    """Serve a translation model over gRPC until SIGTERM or Ctrl-C.

    Every option is also a variable, and a key of the configuration file: --max-rows is
    FERRYMAN_MAX_ROWS, and max_rows in the file's table "engine". The option goes before the
    variable, and that before the file.
    """
    file = config or os.environ.get(CONFIG_VARIABLE) or None
    raise typer.Exit(run(load_config(flags, file)))


serve.__signature__ = inspect.Signature([bundle_argument(), *config_options()])  # type: ignore[attr-defined]
app.command()(serve)


def run(config: ServerConfig) -> int:
    """Serve until the end, and return the exit code.

    Raises:
        StartError: The server cannot start; the message says why.
    """
    from ferryman_server.installed_models import find_bundle
    from ferryman_server.loading import facts_of, load_bundle, model_of, running_engine
    from ferryman_server.logs import configure_logs, write_books
    from ferryman_server.metrics import Metrics
    from ferryman_server.metrics_endpoint import metrics_endpoint

    configure_logs(config.log_format)
    # The first process of a container ignores signals that it does not ask for, so without this
    # a stop while the model loads would be lost.
    signal.signal(signal.SIGTERM, _leave)
    metrics = Metrics()
    bundle = load_bundle(find_bundle(config.bundle), config)
    name = f"{bundle.manifest.name}@{bundle.manifest.version}"
    with (
        metrics_endpoint(metrics, config) as metrics_address,
        running_engine(bundle, config, metrics.observer(name)) as engine,
    ):
        model = model_of(bundle, engine, config)
        metrics.add_engine(name, engine.statistics, facts_of(model, config))
        code = asyncio.run(_serve(model, engine, config, metrics, metrics_address))
    write_books(name, engine.statistics())
    return code


def _leave(number: int, _frame: FrameType | None) -> NoReturn:
    """End before anything was accepted, with the code that a shell gives to a signal."""
    sys.exit(128 + number)


async def _serve(
    model: Model,
    engine: Engine,
    config: ServerConfig,
    metrics: Metrics,
    metrics_address: str | None,
) -> int:
    from ferryman_server.catalogue import Catalogue
    from ferryman_server.description import ServerDescription
    from ferryman_server.lifecycle import caught_signals, serve_until_end
    from ferryman_server.loading import device_of
    from ferryman_server.server import Server
    from ferryman_server.tracing import open_traces
    from ferryman_server.welcome import Places, announce

    description = ServerDescription(
        version=version("ferryman"),
        device=device_of(config),
        started=datetime.datetime.now(datetime.UTC),
    )
    server = Server(
        Catalogue([model]),
        address=config.address,
        description=description,
        limits=config.limits,
        connections=config.connections,
        metrics=metrics,
        traces=open_traces(config.traces_endpoint, description.version),
    )
    metrics.describe(description, max_rows=config.max_rows)
    async with caught_signals() as signals, server:
        places = Places(address=server.bound_address, metrics=metrics_address)
        announce(model, config, places, version=description.version)
        end = await serve_until_end(server, engine, signals, drain_seconds=config.drain_seconds)
    return end.exit_code
