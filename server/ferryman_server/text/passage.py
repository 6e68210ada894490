"""A text prepared for the model: its sentences as token ids, and the way back to a text."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from ferryman_server.text.pieces import cut_sentence
from ferryman_server.text.sentences import find_lines, find_sentences, join_lines
from ferryman_server.text.span import Span


class LongInput(StrEnum):
    """What to do with a sentence that is longer than the model reads."""

    SPLIT = "split"
    """Cut it into pieces at punctuation or spaces."""
    TRUNCATE = "truncate"
    """Keep its beginning."""
    ERROR = "error"
    """Refuse the text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextOptions:
    """How to treat a text before and after the model."""

    split_sentences: bool = True
    """Translate sentence by sentence; otherwise line by line."""
    keep_newlines: bool = True
    """A line break ends a sentence; otherwise it is a space."""
    long_input: LongInput = LongInput.SPLIT


class Encoder(Protocol):
    """What turns text into token ids: a bundle's tokenizer."""

    def encode(self, text: str) -> list[int]:
        """Return the token ids of a text, without start and end."""


class SentenceTooLongError(Exception):
    """A sentence is longer than the model reads, and must be neither cut nor truncated.

    Args:
        tokens: Its length.
        limit: The most that the model reads.
        span: Where it is in the text.
    """

    def __init__(self, *, tokens: int, limit: int, span: Span) -> None:
        super().__init__(
            f"the sentence at {span.start}:{span.end} has {tokens} tokens, and this model reads at "
            f"most {limit}; shorten it, or ask for `long_input` SPLIT or TRUNCATE"
        )
        self.tokens = tokens
        self.limit = limit
        self.span = span


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence of a text, or one piece of a sentence that was too long."""

    span: Span
    """Where it is in the text."""
    tokens: tuple[int, ...]
    """Its token ids, without the end of the sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """A text as sentences, and as the layout between them."""

    text: str
    sentences: tuple[Sentence, ...]
    """In the order of the text; none where the text has no words."""
    split: tuple[Span, ...] = ()
    """The sentences that were too long and were cut into pieces."""
    truncated: tuple[Span, ...] = ()
    """The sentences that were too long and lost their end."""

    def compose(self, replacements: Sequence[str]) -> tuple[str, list[Span]]:
        """Put the text together again, with something else for each sentence.

        Args:
            replacements: One for each sentence, in order.

        Returns:
            The new text, and where each replacement is in it.
        """
        parts: list[str] = []
        spans: list[Span] = []
        read = written = 0
        for sentence, replacement in zip(self.sentences, replacements, strict=True):
            layout = self.text[read : sentence.span.start]
            start = written + len(layout)
            written = start + len(replacement)
            read = sentence.span.end
            parts += (layout, replacement)
            spans.append(Span(start, written))
        parts.append(self.text[read:])
        return "".join(parts), spans


def prepare_passage(
    text: str, options: TextOptions, *, language: str, encoder: Encoder, max_tokens: int
) -> Passage:
    """Split a text into sentences and the sentences into tokens.

    Args:
        text: Any text.
        options: How to split it.
        language: BCP-47 code of its language.
        encoder: The tokenizer.
        max_tokens: The longest sentence that the model reads, without the end of the sentence.

    Raises:
        SentenceTooLongError: A sentence is longer, and ``options.long_input`` is ERROR.
    """
    if not options.keep_newlines:
        text = join_lines(text)
    spans = find_sentences(text, language) if options.split_sentences else find_lines(text)
    sentences: list[Sentence] = []
    too_long: list[Span] = []
    for span in spans:
        tokens = tuple(encoder.encode(span.of(text)))
        if len(tokens) <= max_tokens:
            if tokens:  # what the tokenizer makes nothing of is layout
                sentences.append(Sentence(span, tokens))
            continue
        too_long.append(span)
        match options.long_input:
            case LongInput.ERROR:
                raise SentenceTooLongError(tokens=len(tokens), limit=max_tokens, span=span)
            case LongInput.TRUNCATE:
                sentences.append(Sentence(span, tokens[:max_tokens]))
            case LongInput.SPLIT:
                sentences += _pieces(text, span, encoder.encode, max_tokens)
    return Passage(
        text=text,
        sentences=tuple(sentences),
        split=tuple(too_long) if options.long_input is LongInput.SPLIT else (),
        truncated=tuple(too_long) if options.long_input is LongInput.TRUNCATE else (),
    )


def _pieces(
    text: str, sentence: Span, encode: Callable[[str], list[int]], max_tokens: int
) -> Iterator[Sentence]:
    def fits(piece: str) -> bool:
        return len(encode(piece)) <= max_tokens

    for piece in cut_sentence(text, sentence, fits):
        if tokens := encode(piece.of(text)):
            yield Sentence(piece, tuple(tokens))
