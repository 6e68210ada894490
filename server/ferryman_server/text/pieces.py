"""Cutting a sentence that is longer than the model reads, where a reader would pause."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from ferryman_server.text.span import Span, overlapping, stripped

_CLAUSE_END: Final = re.compile(r"(?<=[;:,\u2013\u2014)\]»”،؛])\s+|(?<=[、，；：])\s*")
_SPACE: Final = re.compile(r"\s+")


def cut_sentence(
    text: str,
    sentence: Span,
    fits: Callable[[Span], bool],
    unbroken: Sequence[Span] = (),
) -> Iterator[Span]:
    """Cut a sentence into pieces that fit, in order.

    What does not fit is halved as near to its middle as it can be: after clause punctuation in its
    middle half, else at white space there, else at any white space, else within the word. Halves
    are of a size, where filling the pieces one by one would leave a stump at the end.

    Args:
        text: The text that the sentence is in.
        sentence: Where it is.
        fits: Whether a piece is short enough. A single code point is taken to be, and so is a part
            that may not be cut.
        unbroken: Parts of the text that may not be cut.
    """
    pending = [sentence]
    while pending:
        piece = stripped(text, pending.pop())
        if piece.end - piece.start <= 1 or fits(piece):
            if piece.end > piece.start:
                yield piece
            continue
        left, right = _halves(text, piece, overlapping(unbroken, piece, _itself))
        if piece in (left, right):
            yield piece
            continue
        pending += (right, left)


def _halves(text: str, piece: Span, unbroken: Sequence[Span]) -> tuple[Span, Span]:
    start, end = piece
    quarter = (end - start) // 4
    middle_half = Span(start + quarter, end - quarter)
    for pattern, within in ((_CLAUSE_END, middle_half), (_SPACE, middle_half), (_SPACE, piece)):
        gap = _nearest_to_the_middle(pattern, text, within, unbroken)
        if gap is not None:
            return Span(start, gap.start), Span(gap.end, end)
    cut = _beside(unbroken, _within_word(text, piece), piece)
    return Span(start, cut), Span(cut, end)


def _nearest_to_the_middle(
    pattern: re.Pattern[str], text: str, within: Span, unbroken: Sequence[Span]
) -> Span | None:
    middle = (within.start + within.end) / 2
    gaps = [Span(*match.span()) for match in pattern.finditer(text, *within)]
    inner = [
        gap
        for gap in gaps
        if within.start < gap.start
        and gap.end < within.end
        and not overlapping(unbroken, gap, _itself)
    ]
    return min(inner, key=lambda gap: abs((gap.start + gap.end) / 2 - middle), default=None)


def _within_word(text: str, piece: Span) -> int:
    """Return the offset to cut at: the middle, or a little after it so that accents stay on."""
    middle = (piece.start + piece.end) // 2
    for offset in range(middle, min(middle + 16, piece.end)):
        if not unicodedata.combining(text[offset]):
            return offset
    return middle


def _beside(unbroken: Sequence[Span], cut: int, piece: Span) -> int:
    """Return an offset to cut at that is in nothing unbroken; an end of the piece if all of it is.

    A part that ends where the piece does is cut off at its beginning.
    """
    for part in overlapping(unbroken, Span(cut, cut + 1), _itself):
        if part.start < cut:
            return part.end if part.end < piece.end else max(part.start, piece.start)
    return cut


def _itself(part: Span) -> Span:
    return part
