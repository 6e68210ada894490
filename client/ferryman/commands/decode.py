"""`ferryman decode`: whole files, however large, in a way that survives a kill."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from ferryman.channel import DEFAULT_ADDRESS
from ferryman.commands.bulk import Bulk, decode_folder, decode_one
from ferryman.commands.local import Local, local_server
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
from ferryman.files.formats import NAMES, format_of
from ferryman.files.servers import Way

_VERB = "decode"

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def decode(
    source_path: Annotated[
        Path, typer.Argument(metavar="IN", help="File to translate, or folder of files.")
    ],
    output_path: Annotated[Path, typer.Argument(metavar="OUT", help="File or folder to make.")],
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
    local: Local = False,
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
        bool, typer.Option("--json", help="Print a JSON object that sums up each file.")
    ] = False,
) -> None:
    """Translate a file, or all files of a folder that have a known format.

    .txt by lines, .tsv by a column, .jsonl by a field; .srt, .vtt, .po, .xliff, .html, .md, .docx
    by their texts. All of them also as .gz, .xz or .zst.

    Of a file of lines, line n of IN is line n of OUT, and blank lines stay. OUT appears when all
    of it is done; until then OUT.ferryman-part and OUT.ferryman-journal hold what is. A run that
    was stopped in any way goes on when the same command is given again. A line without a
    translation is blank, a text of a document stays as it was, and OUT.failures.jsonl says why.

    Exit codes: 0 done, 1 some lines failed, OUT cannot be written, or --verify found something, 2
    wrong usage, 4 bad input or other options than those of the run that is to go on, 5 no server, 6
    no such model or language pair, 7 out of time, 130 Ctrl-C.
    """
    try:
        form = None if source_path.is_dir() else format_of(source_path, format_name, field, into)
    except ValueError as fault:
        raise typer.BadParameter(str(fault)) from None
    if source_path.resolve() == output_path.resolve():
        raise typer.BadParameter("IN and OUT are the same")
    if form is None and (format_name or field or into):
        raise typer.BadParameter("--format, --field and --into are for single files")
    bulk = Bulk(
        servers=tuple(server),
        way=Way(source=source, target=target, model=model, search=search_of(beam)),
        window=window,
        timeout=timeout,
        patience=patience,
        restart=restart,
        verify=verify,
        as_json=as_json,
    )
    with errors_explained(_VERB), _goes_on(), ExitStack() as stack:
        if local:
            address = stack.enter_context(local_server(model))
            bulk = replace(bulk, servers=(address,), way=replace(bulk.way, model=""))
        if form is None:
            complete = asyncio.run(decode_folder(bulk, source_path, output_path))
        else:
            complete = asyncio.run(decode_one(bulk, source_path, output_path, form))
    if not complete:
        raise typer.Exit(ExitCode.FAILURE)


@contextmanager
def _goes_on() -> Iterator[None]:
    """Say, where somebody interrupts it, that nothing is lost."""
    try:
        yield
    except KeyboardInterrupt:
        tell(_VERB, ["what is done is kept: the same command goes on from there"])
        raise
