"""A part of a text."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

T = TypeVar("T")


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


def overlapping(parts: Sequence[T], span: Span, place: Callable[[T], Span]) -> Sequence[T]:
    """Return those of some parts that have a code point in common with a span.

    Args:
        parts: In the order of the text; none overlap each other.
        span: The span.
        place: Where a part is.
    """
    first = bisect_right(parts, span.start, key=lambda part: place(part).end)
    return parts[first : bisect_left(parts, span.end, lo=first, key=lambda part: place(part).start)]
