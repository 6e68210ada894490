"""Options that several verbs of the client have, and what is made of them."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from ferryman.commands.rendering import explained
from ferryman.errors import FerrymanError
from ferryman.search import Beam, Greedy, Search

SourceLanguage = Annotated[
    str, typer.Option("--from", metavar="LANGUAGE", help="Language of the text, as en.")
]
TargetLanguage = Annotated[
    str, typer.Option("--to", metavar="LANGUAGE", help="Language to translate into, as fr.")
]
ServerAddress = Annotated[
    str,
    typer.Option("--server", metavar="ADDRESS", envvar="FERRYMAN_SERVER", help="Server to ask."),
]
ModelName = Annotated[
    str, typer.Option("--model", metavar="NAME", help="Model, as name or name@version.")
]
BeamSize = Annotated[
    int | None,
    typer.Option("--beam", min=1, metavar="SIZE", help="Size of the beam; 1 is greedy search."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON objects, one a line.")]
Timeout = Annotated[
    float,
    typer.Option("--timeout", min=0.001, metavar="SECONDS", help="Longest time for one request."),
]


def search_of(beam: int | None) -> Search | None:
    """Return the search that ``--beam`` asks for; None, which leaves it to the model, for none."""
    return None if beam is None else Greedy() if beam == 1 else Beam(beam)


@contextmanager
def errors_explained(verb: str) -> Iterator[None]:
    """Turn the error of a call into a message that says what to do, and an exit code."""
    try:
        yield
    except FerrymanError as error:
        sys.stdout.flush()  # what is done comes before what is not
        tell(verb, [explained(error)])
        raise typer.Exit(error.exit_code) from error


def tell(verb: str, notes: Iterable[str], where: str = "") -> None:
    """Say something on stderr, under the name of the verb."""
    for note in notes:
        print(f"ferryman {verb}: {where}{note}", file=sys.stderr)
