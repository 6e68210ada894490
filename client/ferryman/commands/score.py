"""`ferryman score`: how likely a model finds given translations."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import typer

from ferryman.channel import DEFAULT_ADDRESS
from ferryman.commands.connection import connected
from ferryman.commands.lines import InputError, open_lines
from ferryman.commands.options import (
    AsJson,
    ModelName,
    ServerAddress,
    SourceLanguage,
    TargetLanguage,
    Timeout,
    errors_explained,
    tell,
)
from ferryman.exit_codes import ExitCode
from ferryman.options import Output
from ferryman.results import Token, TranslationScore

_VERB = "score"
_PAIRS = 64

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def score(
    source_text: Annotated[str | None, typer.Argument(metavar="[SOURCE]", help="Sentence.")] = None,
    target_text: Annotated[
        str | None, typer.Argument(metavar="[TARGET]", help="Its translation.")
    ] = None,
    *,
    source: SourceLanguage = "",
    target: TargetLanguage = "",
    file: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="File of pairs, one a line: source TAB target."),
    ] = None,
    tokens: Annotated[
        bool, typer.Option("--tokens", help="Print the log-probability of each token too.")
    ] = False,
    server: ServerAddress = DEFAULT_ADDRESS,
    model: ModelName = "",
    as_json: AsJson = False,
    timeout: Timeout = 300.0,
) -> None:
    """Tell how likely a model finds a translation: score, log-probability, number of tokens.

    Without texts, the pairs of a file, or of stdin. The score is the log-probability normalised by
    length, as hypotheses are ranked; higher is better, 0 is certainty.

    Exit codes: 0 done, 1 some pairs failed, 2 wrong usage, 4 bad input, 5 no server, 6 the model
    cannot score, 7 out of time.
    """
    if (source_text is None) != (target_text is None):
        raise typer.BadParameter("a sentence and its translation come together")
    if source_text is not None and file is not None:
        raise typer.BadParameter("a text and --file exclude each other")
    failed = 0
    with errors_explained(_VERB), connected(server, timeout=timeout) as client:
        given = [(source_text, target_text or "")] if source_text is not None else _pairs(file)
        for some in _in_batches(given):
            scores = client.score(
                some, source=source, target=target, model=model, output=Output(tokens=tokens)
            )
            for each in scores:
                failed += each.error is not None
                print(_json(each) if as_json else _line(each))
            sys.stdout.flush()
    if failed:
        tell(_VERB, [f"{failed} pairs have no score"])
        raise typer.Exit(ExitCode.FAILURE)


def _pairs(file: Path | None) -> Iterator[tuple[str, str]]:
    """Yield the pairs of a file, or of stdin.

    Raises:
        InputError: A line is no pair, or the input cannot be read to its end.
    """
    number = 0
    with open_lines(file) as (reader, _):
        while not reader.at_end:
            for line in reader.burst():
                number += 1
                cells = line.split("\t")
                if len(cells) != 2:
                    raise InputError(
                        f"line {number} is no pair: it has {len(cells) - 1} tabs, not 1"
                    )
                yield cells[0], cells[1]
    if reader.fault is not None:
        raise reader.fault


def _in_batches(pairs: Iterable[tuple[str, str]]) -> Iterator[list[tuple[str, str]]]:
    held: list[tuple[str, str]] = []
    for pair in pairs:
        held.append(pair)
        if len(held) == _PAIRS:
            yield held
            held = []
    if held:
        yield held


def _line(score: TranslationScore) -> str:
    if score.error is not None:
        tell(_VERB, [f"no score: {score.error}"])
        return ""
    tokens = [f"{token}:{token.log_prob:.4f}" for token in score.target_tokens]
    return "\t".join(
        [f"{score.score:.4f}", f"{score.log_prob:.4f}", str(score.token_count), *tokens]
    )


def _json(score: TranslationScore) -> str:
    error = score.error
    fields = {
        "source": score.source,
        "target": score.target,
        "score": None if error else score.score,
        "log_prob": None if error else score.log_prob,
        "token_count": None if error else score.token_count,
        "model": score.model,
        "tokens": [token_fields(token) for token in score.target_tokens],
        "error": error
        and {"status": error.status, "reason": error.reason, "message": error.message},
    }
    return json.dumps(fields, ensure_ascii=False)


def token_fields(token: Token) -> dict[str, object]:
    """Return a token as JSON has it."""
    return {
        "piece": token.piece,
        "id": token.id,
        "log_prob": token.log_prob,
        "span": list(token.span),
    }
