"""`ferryman translate`: a text, the lines of a file, or the lines that come on stdin."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from ferryman.channel import DEFAULT_ADDRESS
from ferryman.commands.connection import connected
from ferryman.commands.conversation import converse
from ferryman.commands.lines import InputError, open_lines
from ferryman.commands.local import Local, local_server
from ferryman.commands.options import (
    BeamSize,
    ModelName,
    ServerAddress,
    SourceLanguage,
    TargetLanguage,
    Timeout,
    errors_explained,
    search_of,
    tell,
)
from ferryman.commands.progress import progress_of
from ferryman.commands.rendering import Render, json_line, notes_on, plain_line
from ferryman.errors import InvalidRequestError
from ferryman.exit_codes import ExitCode
from ferryman.results import Translation

TranslateEach = Callable[[Iterable[str]], Generator[Translation, None, None]]
"""Translates lines in the way that the command line asks for."""

_VERB = "translate"

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def translate(
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="[TEXT]", help="Text to translate; without it, lines of stdin."),
    ] = None,
    *,
    source: SourceLanguage = "",
    target: TargetLanguage = "",
    file: Annotated[
        Path | None, typer.Option(metavar="PATH", help="File to translate, line by line.")
    ] = None,
    server: ServerAddress = DEFAULT_ADDRESS,
    local: Local = False,
    model: ModelName = "",
    beam: BeamSize = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a JSON object for each text.")
    ] = False,
    timeout: Timeout = 300.0,
) -> None:
    """Translate a text, the lines of a file, or the lines of stdin.

    Input and output are UTF-8. A line of input makes a line of output, in the same order, and a
    blank line stays blank. Results go to stdout, everything else to stderr.

    Exit codes: 0 done, 1 some lines failed, 2 wrong usage, 4 bad input, 5 no server or no room
    there, 6 no such model or language pair, 7 out of time.
    """
    if words and file:
        raise typer.BadParameter("a text and --file exclude each other")
    search = search_of(beam)
    with errors_explained(_VERB), ExitStack() as stack:
        if local:
            server, model = stack.enter_context(local_server(model)), ""
        client = stack.enter_context(connected(server, timeout=timeout))
        if words:
            with _texts_named(lambda _: "the text"):
                translation = client.translate(
                    _argument(words), source=source, target=target, model=model, search=search
                )
            _print(json_line(translation) if as_json else translation.text)
            tell(_VERB, notes_on(translation))
        elif file is None and not as_json and sys.stdin.isatty() and sys.stdout.isatty():
            converse(
                partial(client.stream, source=source, target=target, model=model, search=search)
            )
        else:
            each = partial(
                client.translate_each, source=source, target=target, model=model, search=search
            )
            _translate_lines(each, file, json_line if as_json else plain_line)


def _argument(words: Sequence[str]) -> str:
    """Return the text that the command line gives.

    Raises:
        InputError: It is not UTF-8.
    """
    text = " ".join(words)
    try:
        text.encode()
    except UnicodeEncodeError:  # Python keeps such bytes as surrogates
        raise InputError("the text on the command line is not UTF-8") from None
    return text


def _translate_lines(each: TranslateEach, file: Path | None, render: Render) -> None:
    """Translate the lines of a file, or of stdin.

    Raises:
        InputError: The input cannot be read to its end; the lines before are translated.
        FerrymanError: A request failed.
        typer.Exit: Some lines have no translation.
    """
    before = number = failed = 0

    def line_of(text: int) -> str:
        return f"line {before + text + 1}"

    with open_lines(file) as (reader, size), progress_of(size) as advance, _texts_named(line_of):
        while not reader.at_end:
            before = number
            with closing(each(reader.burst())) as translations:
                for number, translation in enumerate(translations, before + 1):
                    failed += translation.error is not None
                    _print(render(translation))
                    tell(_VERB, notes_on(translation), f"line {number}: ")
                    advance(len(translation.source.encode()) + 1)
            sys.stdout.flush()
    if reader.fault is not None:
        raise reader.fault
    if failed:
        tell(_VERB, [f"{failed} of {number} lines have no translation"])
        raise typer.Exit(ExitCode.FAILURE)


@contextmanager
def _texts_named(name: Callable[[int], str]) -> Iterator[None]:
    """Let errors name texts as who typed them would, not by their place in a request."""
    try:
        yield
    except InvalidRequestError as error:
        raise error.with_texts_named(name) from error


def _print(result: str) -> None:
    sys.stdout.buffer.write(result.encode() + b"\n")
