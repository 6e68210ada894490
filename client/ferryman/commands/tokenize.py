"""`ferryman tokenize`: which tokens texts consist of, as a model reads them."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from ferryman.channel import DEFAULT_ADDRESS
from ferryman.commands.connection import connected
from ferryman.commands.lines import open_lines
from ferryman.commands.options import (
    AsJson,
    ModelName,
    ServerAddress,
    SourceLanguage,
    TargetLanguage,
    Timeout,
    errors_explained,
)
from ferryman.results import Token

_TEXTS = 64

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def tokenize(
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="[TEXT]", help="Text to take apart; without it, lines of stdin."),
    ] = None,
    *,
    source: SourceLanguage = "",
    target: TargetLanguage = "",
    file: Annotated[
        Path | None, typer.Option(metavar="PATH", help="File to take apart, line by line.")
    ] = None,
    ids: Annotated[bool, typer.Option("--ids", help="Print numbers in place of pieces.")] = False,
    server: ServerAddress = DEFAULT_ADDRESS,
    model: ModelName = "",
    as_json: AsJson = False,
    timeout: Timeout = 30.0,
) -> None:
    """Print the tokens of a text, or of each line, with spaces between.

    Exit codes: 0 done, 2 wrong usage, 4 bad input, 5 no server, 6 no such model, 7 out of time.
    """
    if words and file:
        raise typer.BadParameter("a text and --file exclude each other")
    with errors_explained("tokenize"), connected(server, timeout=timeout) as client:
        for texts in [[" ".join(words)]] if words else _batches(file):
            taken_apart = client.tokenize(texts, source=source, target=target, model=model)
            for text, tokens in zip(texts, taken_apart, strict=True):
                print(_json(text, tokens) if as_json else _line(tokens, ids=ids))
            sys.stdout.flush()


def _batches(file: Path | None) -> Iterator[list[str]]:
    """Yield the lines of a file, or of stdin, as they come.

    Raises:
        InputError: The input cannot be read to its end.
    """
    with open_lines(file) as (reader, _):
        while not reader.at_end:
            held: list[str] = []
            for line in reader.burst():
                held.append(line)
                if len(held) == _TEXTS:
                    yield held
                    held = []
            if held:
                yield held
    if reader.fault is not None:
        raise reader.fault


def _line(tokens: tuple[Token, ...], *, ids: bool) -> str:
    return " ".join(str(token.id) if ids else token.piece for token in tokens)


def _json(text: str, tokens: tuple[Token, ...]) -> str:
    listed = [{"piece": token.piece, "id": token.id, "span": list(token.span)} for token in tokens]
    return json.dumps({"text": text, "tokens": listed}, ensure_ascii=False)
