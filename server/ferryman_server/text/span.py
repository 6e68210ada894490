"""A part of a text."""

from __future__ import annotations

from typing import NamedTuple


class Span(NamedTuple):
    """The code points of a text from ``start`` up to and without ``end``."""

    start: int
    end: int

    def of(self, text: str) -> str:
        """Return this part of a text."""
        return text[self.start : self.end]


def stripped(text: str, span: Span) -> Span:
    """Return a span without the white space at its two ends; empty where there is nothing else."""
    part = span.of(text)
    start = span.start + len(part) - len(part.lstrip())
    return Span(start, start + len(part.strip()))
