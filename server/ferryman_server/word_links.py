"""Words and the links between them, from what tokens attended to.

Dimension key:
    S: source tokens with the end    T: target tokens
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from ferryman_server.engine.search import Floats
from ferryman_server.text.span import Span

_WORD: Final = re.compile(r"\S+")


@dataclass(frozen=True, slots=True)
class WordLink:
    """A word of a text and the word of its translation that looked at it."""

    source: Span
    target: Span
    source_word: int
    """Its number in the text, from 0."""
    target_word: int
    weight: float
    """Of the attention that the target word has to give, from 0 to 1."""


class Words:
    """The words of a text: what white space separates.

    Args:
        text: Any text.
    """

    def __init__(self, text: str) -> None:
        self.spans = [Span(*match.span()) for match in _WORD.finditer(text)]
        self._starts = [span.start for span in self.spans]

    def number_at(self, place: Span) -> int | None:
        """Return the number of the word that a token is in; None where it is in none.

        Args:
            place: The token's, white space before it included; empty where it stands for nothing.
        """
        if place.start == place.end:
            return None
        offset = place.end - 1
        number = bisect_right(self._starts, offset) - 1
        return number if number >= 0 and offset < self.spans[number].end else None


def link_words(
    attention: Floats,
    source_numbers: Sequence[int | None],
    target_numbers: Sequence[int | None],
    source: Words,
    target: Words,
) -> list[WordLink]:
    """Link every word of a sentence with those that its tokens looked at most.

    A token is linked with the source token that it attends to most. Where that is the end of the
    sentence, it is linked with nothing.

    Args:
        attention: Weights, rows summing to 1, (T, S).
        source_numbers: The word of each source token, (S); None where it is in none, as the end.
        target_numbers: The word of each target token, (T).
        source: Words of the text.
        target: Words of its translation.

    Returns:
        The links, by the numbers of their words.
    """
    # Only words of this sentence: the text may have a thousand others.
    sources = sorted({number for number in source_numbers if number is not None})
    place = {number: column for column, number in enumerate(sources)}
    by_word = np.zeros((len(attention), len(sources) + 1))
    for column, number in enumerate(source_numbers):
        by_word[:, -1 if number is None else place[number]] += attention[:, column]
    found: dict[tuple[int, int], float] = {}
    rows_of: dict[int, list[int]] = {}
    for row, number in enumerate(target_numbers):
        if number is not None:
            rows_of.setdefault(number, []).append(row)
    for target_number, rows in rows_of.items():
        for row in rows:
            best = int(np.argmax(by_word[row]))
            if best < len(sources):
                found[sources[best], target_number] = float(by_word[rows, best].mean())
    return [
        WordLink(source.spans[i], target.spans[j], i, j, weight)
        for (i, j), weight in sorted(found.items())
    ]


def moses(links: Iterable[WordLink]) -> str:
    """Return links in Moses' format.

    >>> moses([WordLink(Span(0, 2), Span(4, 6), 0, 1, 0.5)])
    '0-1'
    """
    return " ".join(f"{link.source_word}-{link.target_word}" for link in links)
