"""`ferryman bench`: load a server in a closed or an open loop, and say what it did."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import grpc
import typer
from rich.console import Console

from ferryman.bench import chart
from ferryman.bench.caller import PRIORITIES, Caller, Place
from ferryman.bench.figures import Figures, figures_of
from ferryman.bench.loops import Level, run_loop
from ferryman.bench.table import table_of
from ferryman.channel import DEFAULT_ADDRESS, Tls, target_of
from ferryman.exit_codes import ExitCode
from ferryman.v1 import translation_service_pb2 as messages
from ferryman.v1.translation_service_pb2_grpc import TranslationServiceStub

app = typer.Typer(add_completion=False, rich_markup_mode=None)

_SENTENCES = (
    "The network is not available.",
    "Press any key to continue.",
    "This package contains the shared libraries that are needed to run the program.",
    "The file could not be opened because it is in use by another process.",
    "Do you really want to delete the selected files?",
    "If this option is set, messages are written to the log as well as to the terminal.",
    "Good morning.",
    "A small server for machines with little memory, which needs no configuration at all.",
)


class BenchError(Exception):
    """Nothing could be measured."""

    exit_code = ExitCode.UNAVAILABLE


@app.command()
def bench(
    server: Annotated[
        str, typer.Option(metavar="ADDRESS", envvar="FERRYMAN_SERVER", help="The server to load.")
    ] = DEFAULT_ADDRESS,
    *,
    concurrency: Annotated[
        str, typer.Option(metavar="N,N", help="Callers of a closed loop; several, one by one.")
    ] = "1,8,32",
    rate: Annotated[
        str,
        typer.Option(metavar="R,R", help="Calls a second of an open loop, instead; several."),
    ] = "",
    seconds: Annotated[
        float, typer.Option(min=0.1, help="For how long, at each level.", metavar="SECONDS")
    ] = 10.0,
    warm_up: Annotated[
        float,
        typer.Option(min=0, help="Seconds before that which do not count.", metavar="SECONDS"),
    ] = 1.0,
    stream: Annotated[
        bool, typer.Option("--stream", help="Stream answers, and time their first tokens.")
    ] = False,
    timeout: Annotated[
        float, typer.Option(min=0.001, help="Deadline of each call.", metavar="SECONDS")
    ] = 60.0,
    source: Annotated[str, typer.Option("--from", help="Language to translate from.")] = "",
    target: Annotated[str, typer.Option("--to", help="Language to translate into.")] = "",
    model: Annotated[str, typer.Option(help="Model to use.")] = "",
    beam: Annotated[int, typer.Option(min=0, help="Beam size; 0: the model's own.")] = 0,
    priority: Annotated[str, typer.Option(metavar="low|normal|high", help="Of all calls.")] = "",
    file: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Texts, one a line, over and over.")
    ] = None,
    ca: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Speak TLS; who signs the certificate.")
    ] = None,
    client_certificate: Annotated[
        Path | None, typer.Option(metavar="PATH", help="The client's own certificate.")
    ] = None,
    client_key: Annotated[Path | None, typer.Option(metavar="PATH", help="Its key.")] = None,
    seed: Annotated[int, typer.Option(help="Of the arrivals of an open loop.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, not a table.")] = False,
    plot: Annotated[
        Path | None, typer.Option(metavar="PNG", help="Draw a picture; needs the extra plots.")
    ] = None,
) -> None:
    """Load a server, and say how fast it answers and what it refuses.

    A closed loop has so many callers that each wait for their answer; an open loop has calls come
    at a rate, whatever the server does. Nothing is tried again. An API key is taken from
    FERRYMAN_KEY.

    Exit codes: 0 done, 1 a call failed otherwise than by being refused, 2 wrong usage, 5 nothing
    was answered.
    """
    levels = _levels(concurrency, rate)
    texts = file.read_text("utf-8").splitlines() if file else _SENTENCES
    texts = [text for text in texts if text.strip()]
    if not texts:
        raise typer.BadParameter(f"{file} has no text")
    if priority and priority not in PRIORITIES:
        raise typer.BadParameter(f"--priority is low, normal or high, not {priority!r}")
    if plot is not None:
        import matplotlib  # noqa: F401  # it is told before, not after the measurement, if missing
    request = messages.TranslateTextRequest(
        source_language_code=source,
        target_language_code=target,
        model=model,
        priority=PRIORITIES.get(priority),
    )
    if beam:
        request.decoding.beam_size = beam
    place = _place(server, ca, client_certificate, client_key)

    async def measure() -> list[Figures]:
        async with place.channel() as channel:
            await _check(channel, place)
            caller = Caller(channel, place.headers, request, timeout=timeout, is_streaming=stream)
            found = []
            for level in levels:
                attempts = await run_loop(
                    caller.ask, texts, level, seconds=seconds, warm_up=warm_up, seed=seed
                )
                found.append(figures_of(level, attempts, seconds=seconds))
            return found

    figures = asyncio.run(measure())
    if as_json:
        print(json.dumps({"server": server, "levels": [f.document() for f in figures]}, indent=2))
    else:
        Console().print(table_of(figures))
    if plot is not None:
        chart.draw(figures, plot, title=f"{server}: {seconds:g} s at each level")
    raise typer.Exit(_exit_code(figures))


def _place(
    address: str, ca: Path | None, certificate: Path | None, certificate_key: Path | None
) -> Place:
    """Return where to call; its parts are checked before anything is measured."""
    try:
        place = Place(
            address=target_of(address),
            tls=Tls(ca=ca, certificate=certificate, key=certificate_key) if ca else None,
            api_key=os.environ.get("FERRYMAN_KEY") or None,
        )
        place.headers  # noqa: B018  # a key that cannot be sent is told here
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    return place


def _levels(concurrency: str, rate: str) -> list[Level]:
    try:
        if rate:
            levels = [Level(rate=float(word)) for word in rate.split(",")]
        else:
            levels = [Level(concurrency=int(word)) for word in concurrency.split(",")]
    except ValueError as error:
        raise typer.BadParameter(f"numbers with commas between them: {error}") from error
    if any((level.rate or level.concurrency or 0) <= 0 for level in levels):
        raise typer.BadParameter("callers and rates are more than 0")
    return levels


async def _check(channel: grpc.aio.Channel, place: Place) -> None:
    """Ask the server what it is, before anything is measured.

    Raises:
        BenchError: It does not answer, or not us.
    """
    stub = TranslationServiceStub(channel)
    try:
        await stub.GetServerInfo(
            messages.GetServerInfoRequest(), timeout=10, metadata=place.headers
        )
    except grpc.aio.AioRpcError as error:
        raise BenchError(f"{place.address}: {error.code().name}: {error.details()}") from error


def _exit_code(figures: Sequence[Figures]) -> ExitCode:
    if not any(row.answered for row in figures):
        return ExitCode.UNAVAILABLE
    has_failures = any(row.calls - row.answered - row.refused for row in figures)
    return ExitCode.FAILURE if has_failures else ExitCode.OK
