"""``ferryman serve``: serve a bundle over gRPC until a signal."""

from __future__ import annotations

import asyncio
import datetime
import signal
import sys
from importlib.metadata import version
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

if TYPE_CHECKING:
    from ferryman_server.catalogue import Model
    from ferryman_server.config import ServerConfig
    from ferryman_server.engine import Engine

app = typer.Typer(add_completion=False, rich_markup_mode=None)


def _option(description: str, default: str, metavar: str) -> Any:
    """Declare a flag. It stays text: `ServerConfig` reads it, together with its variable."""
    return typer.Option(
        help=f"{description}. [default: {default}]", metavar=metavar, show_default=False
    )


@app.command()
def serve(
    bundle: Annotated[
        str | None,
        typer.Argument(
            help="Directory of a bundle, its packed form, or name of an installed model. "
            "Without it: the model that is installed.",
            show_default=False,
        ),
    ] = None,
    *,
    address: Annotated[
        str | None, _option("Where to listen", "127.0.0.1:50051", "HOST:PORT")
    ] = None,
    workers: Annotated[
        str | None, _option("Engine workers, each with a running batch", "the usable cores", "N")
    ] = None,
    threads: Annotated[
        str | None, _option("Threads that each worker computes with", "1", "N")
    ] = None,
    max_rows: Annotated[
        str | None, _option("Hypotheses in the running batch of each worker", "64", "N")
    ] = None,
    max_queued_tokens: Annotated[
        str | None, _option("Source tokens that may wait; more are refused", "262144", "N")
    ] = None,
    max_concurrent_calls: Annotated[
        str | None, _option("Calls at the same time; more are refused", "1024", "N")
    ] = None,
    device: Annotated[str | None, _option("What to compute on", "auto", "auto|cpu|cuda")] = None,
    variant: Annotated[
        str | None, _option("Variant of the bundle to run", "the fastest for the device", "NAME")
    ] = None,
    trial_seconds: Annotated[
        str | None,
        _option(
            "How long a new bundle may take to load in a trial process; 0: none", "60", "SECONDS"
        ),
    ] = None,
    max_bundle_bytes: Annotated[
        str | None,
        _option("The most that the files of a bundle may have together", "8 GiB", "BYTES"),
    ] = None,
    drain_seconds: Annotated[
        str | None, _option("How long calls may take to finish after SIGTERM", "30", "SECONDS")
    ] = None,
    log_format: Annotated[
        str | None, _option("How log lines are written", "text", "text|json")
    ] = None,
) -> None:
    """Serve a translation model over gRPC until SIGTERM or Ctrl-C.

    Every option is also a variable: --max-rows is FERRYMAN_MAX_ROWS. The option goes first.
    """
    from ferryman_server.config import load_config

    config = load_config(
        {
            "bundle": bundle,
            "address": address,
            "workers": workers,
            "threads": threads,
            "max_rows": max_rows,
            "max_queued_tokens": max_queued_tokens,
            "max_concurrent_calls": max_concurrent_calls,
            "device": device,
            "variant": variant,
            "trial_seconds": trial_seconds,
            "max_bundle_bytes": max_bundle_bytes,
            "drain_seconds": drain_seconds,
            "log_format": log_format,
        }
    )
    raise typer.Exit(run(config))


def run(config: ServerConfig) -> int:
    """Serve until the end, and return the exit code.

    Raises:
        StartError: The server cannot start; the message says why.
    """
    from ferryman_server.installed_models import find_bundle
    from ferryman_server.loading import load_bundle, model_of, running_engine
    from ferryman_server.logs import configure_logs

    configure_logs(config.log_format)
    # The first process of a container ignores signals that it does not ask for, so without this
    # a stop while the model loads would be lost.
    signal.signal(signal.SIGTERM, _leave)
    bundle = load_bundle(find_bundle(config.bundle), config)
    with running_engine(bundle, config) as engine:
        return asyncio.run(_serve(model_of(bundle, engine, config), engine, config))


def _leave(number: int, _frame: FrameType | None) -> NoReturn:
    """End before anything was accepted, with the code that a shell gives to a signal."""
    sys.exit(128 + number)


async def _serve(model: Model, engine: Engine, config: ServerConfig) -> int:
    from ferryman_server.catalogue import Catalogue
    from ferryman_server.description import ServerDescription
    from ferryman_server.lifecycle import caught_signals, serve_until_end
    from ferryman_server.limits import ConnectionLimits, Limits
    from ferryman_server.loading import device_of
    from ferryman_server.server import Server
    from ferryman_server.welcome import announce

    description = ServerDescription(
        version=version("ferryman"),
        device=device_of(config),
        started=datetime.datetime.now(datetime.UTC),
    )
    limits = Limits(
        max_beam_size=min(Limits().max_beam_size, config.max_rows),
        max_num_hypotheses=min(Limits().max_num_hypotheses, config.max_rows),
        max_queued_tokens=config.max_queued_tokens,
        max_concurrent_calls=config.max_concurrent_calls,
    )
    server = Server(
        Catalogue([model]),
        address=config.address,
        description=description,
        limits=limits,
        connections=ConnectionLimits(),
    )
    async with caught_signals() as signals, server:
        announce(model, config, port=server.port, version=description.version)
        end = await serve_until_end(server, engine, signals, drain_seconds=config.drain_seconds)
    return end.exit_code
