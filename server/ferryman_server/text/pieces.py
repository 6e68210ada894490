"""Cutting a sentence that is longer than the model reads, where a reader would pause."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from typing import Final

from ferryman_server.text.span import Span, stripped

_CLAUSE_END: Final = re.compile(r"(?<=[;:,\u2013\u2014)\]»”،؛])\s+|(?<=[、，；：])\s*")
_SPACE: Final = re.compile(r"\s+")


def cut_sentence(text: str, sentence: Span, fits: Callable[[str], bool]) -> Iterator[Span]:
    """Cut a sentence into pieces that fit, in order.

    What does not fit is halved as near to its middle as it can be: after clause punctuation in its
    middle half, else at white space there, else at any white space, else within the word. Halves
    are of a size, where filling the pieces one by one would leave a stump at the end.

    Args:
        text: The text that the sentence is in.
        sentence: Where it is.
        fits: Whether a piece is short enough. A single code point is taken to be.
    """
    pending = [sentence]
    while pending:
        piece = stripped(text, pending.pop())
        if piece.end - piece.start <= 1 or fits(piece.of(text)):
            if piece.end > piece.start:
                yield piece
            continue
        left, right = _halves(text, piece)
        pending += (right, left)


def _halves(text: str, piece: Span) -> tuple[Span, Span]:
    start, end = piece
    quarter = (end - start) // 4
    middle_half = Span(start + quarter, end - quarter)
    for pattern, within in ((_CLAUSE_END, middle_half), (_SPACE, middle_half), (_SPACE, piece)):
        gap = _nearest_to_the_middle(pattern, text, within)
        if gap is not None:
            return Span(start, gap.start), Span(gap.end, end)
    cut = _within_word(text, piece)
    return Span(start, cut), Span(cut, end)


def _nearest_to_the_middle(pattern: re.Pattern[str], text: str, within: Span) -> Span | None:
    middle = (within.start + within.end) / 2
    gaps = [Span(*match.span()) for match in pattern.finditer(text, *within)]
    inner = [gap for gap in gaps if within.start < gap.start and gap.end < within.end]
    return min(inner, key=lambda gap: abs((gap.start + gap.end) / 2 - middle), default=None)


def _within_word(text: str, piece: Span) -> int:
    """Return the offset to cut at: the middle, or a little after it so that accents stay on."""
    middle = (piece.start + piece.end) // 2
    for offset in range(middle, min(middle + 16, piece.end)):
        if not unicodedata.combining(text[offset]):
            return offset
    return middle
