"""What can be wrong with a bundle."""

from __future__ import annotations

from typing import Final

_LONGEST: Final = 1000


class BundleError(ValueError):
    """A bundle that must not be used: one line that names the file and what to do about it."""

    def __init__(self, message: str) -> None:
        # Names and texts of the bundle are in it, and it goes to terminals and into logs.
        super().__init__(one_line(message, longest=_LONGEST))


def one_line(text: str, *, longest: int = 400) -> str:
    """Return the words of a stranger as they may be shown: one line, of bounded length.

    Args:
        text: Whatever a file holds, or a library says about it.
        longest: Characters that are shown at most.
    """
    shown = text[: longest + 1].strip()
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in shown)
    return shown if len(shown) <= longest else shown[:longest] + "..."
