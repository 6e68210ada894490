"""`ferryman decode`: a whole file, however large, in a way that survives a kill."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Annotated

import typer

from ferryman.channel import DEFAULT_ADDRESS
from ferryman.commands.file_progress import FileProgress, shown_progress
from ferryman.commands.options import (
    BeamSize,
    ModelName,
    SourceLanguage,
    TargetLanguage,
    Timeout,
    errors_explained,
    search_of,
    tell,
)
from ferryman.exit_codes import ExitCode
from ferryman.files.decoding import FileTask, Step, Summary, decode_file
from ferryman.files.durability import beside
from ferryman.files.formats import NAMES, format_of
from ferryman.files.journal import FAILURES
from ferryman.files.servers import Servers, Way
from ferryman.files.units import Format
from ferryman.files.verification import discrepancies

_VERB = "decode"
_SHOWN_DISCREPANCIES = 20

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def decode(
    source_file: Annotated[Path, typer.Argument(metavar="IN", help="File to translate.")],
    output_file: Annotated[Path, typer.Argument(metavar="OUT", help="File to make.")],
    *,
    source: SourceLanguage = "",
    target: TargetLanguage = "",
    server: Annotated[
        list[str],
        typer.Option(
            metavar="ADDRESS",
            envvar="FERRYMAN_SERVER",
            help="Server to ask; given several times, the work is spread over them.",
        ),
    ] = [DEFAULT_ADDRESS],  # noqa: B006  # Typer copies it
    model: ModelName = "",
    beam: BeamSize = None,
    format_name: Annotated[
        str | None,
        typer.Option("--format", metavar="|".join(NAMES), help="Format, where names do not tell."),
    ] = None,
    field: Annotated[
        str | None,
        typer.Option(
            metavar="FIELD",
            help="What to translate: the number of a column of a .tsv, the name of a field of a "
            ".jsonl.  [default: 1, text]",
        ),
    ] = None,
    into: Annotated[
        str | None,
        typer.Option(metavar="FIELD", help="Where the translation goes.  [default: --field]"),
    ] = None,
    window: Annotated[
        int, typer.Option(min=1, metavar="N", help="Requests on the way to each server.")
    ] = 8,
    timeout: Timeout = 300.0,
    patience: Annotated[
        float,
        typer.Option(min=0, metavar="SECONDS", help="How long to wait while no server answers."),
    ] = 120.0,
    verify: Annotated[
        bool, typer.Option("--verify", help="Check counts and placeholders of the result.")
    ] = False,
    restart: Annotated[
        bool, typer.Option("--restart", help="Begin anew whatever an earlier run has left.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a JSON object that sums up the run.")
    ] = False,
) -> None:
    """Translate a file: .txt by lines, .tsv by a column, .jsonl by a field; also .gz, .xz, .zst.

    Line n of IN is line n of OUT, and blank lines stay. OUT appears when all of it is done; until
    then OUT.ferryman-part and OUT.ferryman-journal hold what is. A run that was stopped in any way
    goes on when the same command is given again. Lines without a translation are blank, and
    OUT.failures.jsonl says why.

    Exit codes: 0 done, 1 some lines failed, OUT cannot be written, or --verify found something, 2
    wrong usage, 4 bad input or other options than those of the run that is to go on, 5 no server, 6
    no such model or language pair, 7 out of time, 130 Ctrl-C.
    """
    try:
        format_ = format_of(source_file, name=format_name, field=field, into=into)
    except ValueError as fault:
        raise typer.BadParameter(str(fault)) from None
    if source_file.resolve() == output_file.resolve():
        raise typer.BadParameter("IN and OUT are the same file")
    way = Way(source=source, target=target, model=model, search=search_of(beam))
    with (
        errors_explained(_VERB),
        _goes_on(),
        shown_progress(source_file, format_) as progress,
    ):
        summary = asyncio.run(
            _decode(
                source_file,
                output_file,
                format_,
                way,
                servers=server,
                window=window,
                timeout=timeout,
                patience=patience,
                restart=restart,
                on_step=progress.step,
            )
        )
    found = _verify(format_, source_file, output_file) if verify else 0
    _sum_up(summary, progress, output_file, format_, discrepancy_count=found, as_json=as_json)
    if summary.failed or found:
        raise typer.Exit(ExitCode.FAILURE)


async def _decode(
    source_file: Path,
    output_file: Path,
    format_: Format,
    way: Way,
    *,
    servers: list[str],
    window: int,
    timeout: float,
    patience: float,
    restart: bool,
    on_step: Callable[[Step], None],
) -> Summary:
    from ferryman.async_client import AsyncClient

    async with AsyncExitStack() as stack:
        try:
            clients = [(each, AsyncClient(each, timeout=timeout)) for each in servers]
        except ValueError as fault:
            raise typer.BadParameter(str(fault), param_hint="--server") from None
        for _, client in clients:
            await stack.enter_async_context(client)
        pool = Servers(clients, way, patience=patience)
        served = await pool.identify()
        task = FileTask(
            source=source_file,
            output=output_file,
            format=format_,
            identity={**served.identity, "search": str(way.search or "the model's own")},
            restart=restart,
        )
        return await decode_file(
            task, pool.translate, window=window * len(servers), on_step=on_step
        )


@contextmanager
def _goes_on() -> Iterator[None]:
    """Say, where somebody interrupts it, that nothing is lost."""
    try:
        yield
    except KeyboardInterrupt:
        tell(_VERB, ["what is done is kept: the same command goes on from there"])
        raise


def _verify(format_: Format, source_file: Path, output_file: Path) -> int:
    """Check the output against the input, tell what does not fit, and return how much that is."""
    count = 0
    for count, discrepancy in enumerate(discrepancies(format_, source_file, output_file), 1):
        if count <= _SHOWN_DISCREPANCIES:
            tell(_VERB, [f"{format_.noun} {discrepancy.unit}: {discrepancy.what}"])
    if count > _SHOWN_DISCREPANCIES:
        tell(_VERB, [f"... and {count - _SHOWN_DISCREPANCIES} more like these"])
    return count


def _sum_up(
    summary: Summary,
    progress: FileProgress,
    output_file: Path,
    format_: Format,
    *,
    discrepancy_count: int,
    as_json: bool,
) -> None:
    side = beside(output_file, FAILURES) if summary.failed else None
    if as_json:
        fields = {
            "output": str(output_file),
            f"{format_.noun}s": summary.units,
            "failed": summary.failed,
            "failures": side and str(side),
            "discrepancies": discrepancy_count,
            "tokens": progress.tokens,
            "seconds": round(progress.seconds, 3),
        }
        print(json.dumps(fields, ensure_ascii=False))
        return
    speed = f", {progress.tokens / progress.seconds:,.0f} tokens/s" if progress.tokens else ""
    tell(_VERB, [f"{summary.units:,} {format_.noun}s in {progress.seconds:.1f} s{speed}"])
    if side:
        tell(_VERB, [f"{summary.failed:,} of them have no translation: {side} says why"])
    sys.stderr.flush()
