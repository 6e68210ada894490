"""A text prepared for the model: its sentences as token ids, and the way back to a text."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from ferryman_server.glossary.terms import Glossary
from ferryman_server.protection.detection import Protected, ProtectionOptions, find_protected
from ferryman_server.protection.shield import (
    MOST_SPANS,
    Carried,
    Shield,
    shielded,
    without_reserved,
)
from ferryman_server.text.pieces import cut_sentence
from ferryman_server.text.sentences import (
    find_lines,
    find_sentences,
    has_words,
    join_lines,
    merged_across,
)
from ferryman_server.text.span import Span


class LongInput(StrEnum):
    """What to do with a sentence that is longer than the model reads."""

    SPLIT = "split"
    """Cut it into pieces at punctuation or spaces."""
    TRUNCATE = "truncate"
    """Keep its beginning."""
    ERROR = "error"
    """Refuse the text."""


class TextForm(StrEnum):
    """What a text is written in."""

    PLAIN = "plain"
    HTML = "html"
    MARKDOWN = "markdown"


@dataclass(frozen=True, slots=True, kw_only=True)
class TextOptions:
    """How to treat a text before and after the model."""

    form: TextForm = TextForm.PLAIN
    attributes: tuple[str, ...] = ()
    """Names of attributes of HTML whose values are translated."""

    split_sentences: bool = True
    """Translate sentence by sentence; otherwise line by line."""
    keep_newlines: bool = True
    """A line break ends a sentence; otherwise it is a space."""
    long_input: LongInput = LongInput.SPLIT
    protection: ProtectionOptions = field(default_factory=lambda: ProtectionOptions(by_looks=False))
    """What reaches the translation unchanged."""
    glossary: Glossary = field(default_factory=Glossary)
    """Terms whose translation is given."""
    second_try: bool = False
    """Whether a translation that looks wrong is searched for once more."""


class Encoder(Protocol):
    """What turns text into token ids: a bundle's tokenizer."""

    def encode(self, text: str, *, reserved: bool = False) -> list[int]:
        """Return the token ids of a text, without start and end.

        Args:
            text: Any text.
            reserved: Whether the reserved characters in it were put there by us.
        """


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
    shield: Shield | None = None
    """What stands for its protected spans; None where it has none."""

    def restore(
        self,
        written: str,
        escape: Callable[[str], str] = str,
        markup: Callable[[Carried], str] | None = None,
    ) -> str:
        """Return a part of what the model wrote for it with its protected spans; see `Shield`."""
        if self.shield is None:
            return escape(without_reserved(written))
        return self.shield.restore(written, escape, markup)

    def source_offsets(self) -> list[int]:
        """Return where each offset of what the model read is in the text."""
        if self.shield is None:
            return list(range(self.span.start, self.span.end + 1))
        return [self.span.start + place for place in self.shield.source_offsets]

    def target_offsets(self, written: str) -> list[int]:
        """Return where each offset of what the model wrote is once it is restored."""
        shield = self.shield or Shield(written, ())
        return shield.offsets(written)


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

    @property
    def texts(self) -> tuple[str, ...]:
        """The text of each sentence's passage."""
        return (self.text,) * len(self.sentences)

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
    text: str,
    options: TextOptions,
    *,
    language: str,
    encoder: Encoder,
    max_tokens: int,
    protected: Sequence[Protected] = (),
) -> Passage:
    """Split a text into sentences and the sentences into tokens.

    Args:
        text: Any text.
        options: How to split it.
        language: BCP-47 code of its language.
        encoder: The tokenizer.
        max_tokens: The longest sentence that the model reads, without the end of the sentence.
        protected: Parts of the text that are known to be none of the model's business.

    Raises:
        SentenceTooLongError: A sentence is longer, and ``options.long_input`` is ERROR.
    """
    if not options.keep_newlines:
        text = join_lines(text)
    known = sorted(protected, key=lambda one: one.span)
    found = find_protected(text, options.protection, known)
    spans = find_sentences(text, language) if options.split_sentences else find_lines(text)
    spans = merged_across(spans, [one.span for one in found])
    work = _Cutting(text, found, encoder, max_tokens)
    sentences: list[Sentence] = []
    split: list[Span] = []
    truncated: list[Span] = []
    for span in spans:
        sentence = work.sentence(span)
        if sentence is None:  # what the tokenizer makes nothing of is layout
            continue
        if work.fits(sentence):
            sentences.append(sentence)
            continue
        # Too many protected spans are no fault of the text's, so nobody is asked about them.
        is_long = len(sentence.tokens) > max_tokens
        if is_long and options.long_input is LongInput.ERROR:
            raise SentenceTooLongError(tokens=len(sentence.tokens), limit=max_tokens, span=span)
        if is_long and options.long_input is LongInput.TRUNCATE:
            sentences.append(work.beginning(sentence))
            truncated.append(span)
        else:
            sentences += work.pieces(span)
            split.append(span)
    return Passage(
        text=text, sentences=tuple(sentences), split=tuple(split), truncated=tuple(truncated)
    )


@dataclass(frozen=True, slots=True)
class _Cutting:
    """A text, and how much of it is one sentence for the model."""

    text: str
    protected: Sequence[Protected]
    encoder: Encoder
    max_tokens: int

    def sentence(self, span: Span) -> Sentence | None:
        """Return a part of the text as a sentence; None where it has nothing to translate."""
        if not self.protected:
            tokens = tuple(self.encoder.encode(span.of(self.text)))
            return Sentence(span, tokens) if tokens else None
        shield = shielded(self.text, span, self.protected)
        if not shield.carried:
            tokens = tuple(self.encoder.encode(span.of(self.text)))
            return Sentence(span, tokens) if tokens else None
        if not has_words(without_reserved(shield.text)):
            return None
        return Sentence(span, tuple(self.encoder.encode(shield.text, reserved=True)), shield)

    def fits(self, sentence: Sentence) -> bool:
        """Tell whether the model reads all of a sentence."""
        spans = 0 if sentence.shield is None else len(sentence.shield.carried)
        return len(sentence.tokens) <= self.max_tokens and spans <= MOST_SPANS

    def beginning(self, sentence: Sentence) -> Sentence:
        """Return as much of a sentence as the model reads, protected spans as a whole."""
        pieces = cut_sentence(
            self.text, sentence.span, self._is_short_enough, [one.span for one in self.protected]
        )
        if sentence.shield is None:
            return Sentence(sentence.span, sentence.tokens[: self.max_tokens])
        first = next((made for piece in pieces if (made := self.sentence(piece))), None)
        return first or Sentence(sentence.span, sentence.tokens[: self.max_tokens])

    def pieces(self, span: Span) -> Iterator[Sentence]:
        """Yield the pieces of a sentence that is too long."""
        unbroken = [one.span for one in self.protected]
        for piece in cut_sentence(self.text, span, self._is_short_enough, unbroken):
            if sentence := self.sentence(piece):
                yield sentence

    def _is_short_enough(self, piece: Span) -> bool:
        sentence = self.sentence(piece)
        return sentence is None or self.fits(sentence)
