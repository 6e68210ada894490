"""A conversation at a terminal: a line is typed, and its translation appears word by word."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from ferryman.commands.options import tell
from ferryman.commands.rendering import explained, notes_on
from ferryman.errors import FerrymanError, UnavailableError

if TYPE_CHECKING:
    from ferryman.streams import TranslationStream

_PROMPT = "> "


def converse(stream: Callable[[str], TranslationStream]) -> None:
    """Translate what is typed, line by line, until Ctrl-D.

    Args:
        stream: Starts the translation of a line.

    Raises:
        UnavailableError: No server answers.
    """
    import readline  # noqa: F401  # lines can be edited, and called back

    print("Type a line to translate; Ctrl-C gives it up, Ctrl-D ends.", file=sys.stderr)
    while True:
        try:
            text = input(_PROMPT)
        except EOFError:
            print(file=sys.stderr)
            return
        if text.strip():
            _translate(stream, text)


def _translate(stream: Callable[[str], TranslationStream], text: str) -> None:
    """Print the translation of a line as it comes."""
    try:
        with stream(text) as pieces:
            for piece in pieces:
                sys.stdout.write(piece)
                sys.stdout.flush()
            print()
            tell("translate", notes_on(pieces.translation))
    except KeyboardInterrupt:
        print("\n(given up)", file=sys.stderr)
    except UnavailableError:
        raise
    except FerrymanError as error:
        tell("translate", [explained(error)])
