"""Where the sentences of a text are.

Whatever is no sentence is layout, and reaches the translation as it is: line breaks, indentation,
tabs, the spaces between sentences, rulers such as ``-----``. So a text whose every sentence is
replaced by itself is the same text, code point for code point.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

import sentencex

from ferryman_server.text.span import Span, stripped

_LINE: Final = re.compile(r"[^\n\r\t\v\f\x1c-\x1e\x85\u2028\u2029]+")
"""What stands between two of the code points that end a line or a cell of a table."""
_COLUMN_GAP: Final = re.compile(r" {3,}")
"""What stands between the columns of a table or of a list of options."""
_LINE_BREAK: Final = re.compile(r"\r\n|[\n\r\v\f\x85\u2028\u2029]")

_MOST_AT_ONCE: Final = 8192
"""Code points that sentencex gets at once: on unpaired quotation marks its time is quadratic in
them, and it holds the interpreter lock meanwhile."""
_BLOCK: Final = re.compile(rf"(?s:.{{1,{_MOST_AT_ONCE}}})(?=\s|\Z)|(?s:.{{1,{_MOST_AT_ONCE}}})")


def find_sentences(text: str, language: str) -> list[Span]:
    """Return the sentences of a text, in order.

    Args:
        text: Any text.
        language: BCP-47 code; decides about abbreviations and full stops. A language without rules
            of its own has those of English.
    """
    return [
        sentence
        for line in find_lines(text)
        for sentence in _sentences_of_line(text, line, language)
        if has_words(sentence.of(text))
    ]


def find_lines(text: str) -> list[Span]:
    """Return the lines of a text that have words in them, without the white space around them.

    What wide gaps set apart within a line, as columns are, counts as lines.
    """
    return [
        cell
        for match in _LINE.finditer(text)
        for cell in _cells(text, stripped(text, Span(*match.span())))
        if has_words(cell.of(text))
    ]


def join_lines(text: str) -> str:
    """Return a text with a space for every line break; offsets stay what they were."""
    return _LINE_BREAK.sub(lambda match: " " * len(match.group()), text)


def merged_across(sentences: Sequence[Span], unbroken: Sequence[Span]) -> list[Span]:
    """Return sentences with those made one that something goes across.

    Args:
        sentences: In order.
        unbroken: What may not be divided, in order.
    """
    merged: list[Span] = []
    remaining = iter(unbroken)
    across = next(remaining, None)
    for sentence in sentences:
        while across is not None and across.end <= sentence.start:
            across = next(remaining, None)
        if merged and across is not None and across.start < merged[-1].end:
            merged[-1] = Span(merged[-1].start, sentence.end)
        else:
            merged.append(sentence)
    return merged


def has_words(text: str) -> bool:
    """Tell whether there is anything in a text that could be translated."""
    return any(character.isalnum() for character in text)


def _cells(text: str, line: Span) -> Iterator[Span]:
    start = line.start
    for gap in _COLUMN_GAP.finditer(text, *line):
        yield stripped(text, Span(start, gap.start()))
        start = gap.end()
    yield stripped(text, Span(start, line.end))


def _sentences_of_line(text: str, line: Span, language: str) -> Iterator[Span]:
    for block in _BLOCK.finditer(text, *line):
        start = block.start()
        for length in _sentence_lengths(block.group(), language):
            yield stripped(text, Span(start, start + length))
            start += length


def _sentence_lengths(line: str, language: str) -> list[int]:
    """Return how many code points each sentence of a line has, the white space after it included.

    sentencex 1.0.32 panics on some white space other than the plain space where it follows
    punctuation, so it gets plain spaces. A panic is no `Exception`; should another input cause one,
    the line is one sentence.
    """
    plain = re.sub(r"\s", " ", line)
    try:
        parts = sentencex.segment(language, plain)
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        return [len(line)]
    lengths = [len(part) for part in parts]
    return lengths if sum(lengths) == len(line) else [len(line)]
