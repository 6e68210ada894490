"""``ferryman serve``: serve a bundle over gRPC until a signal."""

from __future__ import annotations

import asyncio
import datetime
import functools
import inspect
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from importlib.metadata import version
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

import typer

from ferryman_server.commands.config_options import bundle_argument, config_options
from ferryman_server.config import CONFIG_VARIABLE, ServerConfig, load_config
from ferryman_server.start_errors import ConfigError

if TYPE_CHECKING:
    from ferryman_server.fleet import Fleet, Loaded
    from ferryman_server.metrics import Metrics

app = typer.Typer(add_completion=False, rich_markup_mode="rich")


def serve(*, config: str | None, **flags: str | list[str] | None) -> None:
    """Serve translation models over gRPC until SIGTERM or Ctrl-C.

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
    from ferryman_server.loading import load_model
    from ferryman_server.logs import configure_logs
    from ferryman_server.metrics import Metrics
    from ferryman_server.metrics_endpoint import metrics_endpoint

    configure_logs(config.log_format, level=config.log_level)
    # The first process of a container ignores signals that it does not ask for, so without this
    # a stop while the model loads would be lost.
    signal.signal(signal.SIGTERM, _leave)
    metrics = Metrics()
    with metrics_endpoint(metrics, config) as metrics_address, ExitStack() as ending:
        loaded = []
        for bundle in config.bundle or (None,):
            one = load_model(find_bundle(bundle), None, config, metrics)
            ending.callback(one.close)
            loaded.append(one)
        _check_names(loaded)
        # From here on the fleet closes them.
        ending.pop_all()
        return asyncio.run(_serve(loaded, config, metrics, metrics_address))


def _check_names(loaded: Sequence[Loaded]) -> None:
    names = [one.model.full_name for one in loaded]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError(f"BUNDLE: {', '.join(twice)} is given more than once")


def _leave(number: int, _frame: FrameType | None) -> NoReturn:
    """End before anything was accepted, with the code that a shell gives to a signal."""
    sys.exit(128 + number)


async def _serve(
    loaded: Sequence[Loaded],
    config: ServerConfig,
    metrics: Metrics,
    metrics_address: str | None,
) -> int:
    from ferryman_server.fleet import Fleet
    from ferryman_server.loading import load_model

    fleet = Fleet(
        loaded,
        functools.partial(load_model, config=config, metrics=metrics),
        root=config.models_root,
        drain_seconds=config.drain_seconds,
    )
    try:
        return await _serve_fleet(fleet, config, metrics, metrics_address)
    finally:
        fleet.close()


async def _serve_fleet(
    fleet: Fleet, config: ServerConfig, metrics: Metrics, metrics_address: str | None
) -> int:
    from ferryman_server.description import ServerDescription
    from ferryman_server.lifecycle import caught_signals, serve_until_end
    from ferryman_server.loading import device_of
    from ferryman_server.security import security_of
    from ferryman_server.server import Server
    from ferryman_server.tracing import open_traces
    from ferryman_server.welcome import Places, announce

    description = ServerDescription(
        version=version("ferryman"),
        device=device_of(config),
        started=datetime.datetime.now(datetime.UTC),
    )
    security = security_of(config)
    server = Server(
        fleet.catalogue,
        fleet=fleet,
        admin_address=config.admin_address_in_use,
        address=config.address,
        description=description,
        limits=config.limits,
        connections=config.connections,
        metrics=metrics,
        traces=open_traces(config.traces_endpoint, description.version),
        security=security,
    )
    metrics.describe(description, max_rows=config.max_rows)
    async with caught_signals() as signals, server:
        places = Places(
            address=server.bound_address,
            metrics=metrics_address,
            probe=server.probe_address,
            admin=server.admin_address,
        )
        announce(fleet.catalogue.models, config, places, version=description.version)
        end = await serve_until_end(server, fleet, signals, drain_seconds=config.drain_seconds)
    return end.exit_code
