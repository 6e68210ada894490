"""A document prepared for the model: its blocks as passages, and the way back to a document."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from ferryman_server.markup.block import Block, Pair
from ferryman_server.markup.placement import (
    Alignment,
    Tag,
    align_by_place,
    align_with_itself,
    place_tags,
)
from ferryman_server.protection.kinds import Kind
from ferryman_server.protection.shield import Carried
from ferryman_server.text.passage import Passage, Sentence
from ferryman_server.text.span import Span, overlapping

Escape = Callable[[str], str]


class Written(Protocol):
    """What the model wrote for a sentence."""

    @property
    def written(self) -> str:
        """With reserved characters."""
        ...

    @property
    def read(self) -> Sentence | None:
        """The sentence as the model read it; None where it read pieces."""
        ...


@dataclass(frozen=True, slots=True)
class Composed:
    """A document put together again."""

    text: str
    targets: tuple[Span, ...]
    """Where the block of each sentence is in it."""
    misplaced: tuple[int, ...]
    """Sentences some of whose tags found no words of theirs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A document in blocks. Sentences are counted over all its blocks."""

    text: str
    blocks: tuple[Block, ...]
    passages: tuple[Passage, ...]
    """One for each block."""
    escape: Escape
    escape_value: Escape
    """For values of attributes."""
    begin: Escape = str
    """For the beginning of a block."""

    @property
    def sentences(self) -> tuple[Sentence, ...]:
        """Of all blocks."""
        return tuple(s for passage in self.passages for s in passage.sentences)

    @property
    def sources(self) -> tuple[Span, ...]:
        """Where the block of each sentence is in the document."""
        return tuple(
            block.source
            for block, passage in zip(self.blocks, self.passages, strict=True)
            for _ in passage.sentences
        )

    @property
    def texts(self) -> tuple[str, ...]:
        """The text of the passage of each sentence."""
        return tuple(passage.text for passage in self.passages for _ in passage.sentences)

    @property
    def split(self) -> tuple[Span, ...]:
        """Blocks with sentences that were too long and were cut into pieces."""
        return tuple(b.source for b, p in zip(self.blocks, self.passages, strict=True) if p.split)

    @property
    def truncated(self) -> tuple[Span, ...]:
        """Blocks with sentences that were too long and lost their end."""
        return tuple(
            b.source for b, p in zip(self.blocks, self.passages, strict=True) if p.truncated
        )

    @property
    def tagged(self) -> tuple[int, ...]:
        """The sentences within which there are tags to place."""
        pairs = [
            (block.pairs, sentence)
            for block, passage in zip(self.blocks, self.passages, strict=True)
            for sentence in passage.sentences
        ]
        return tuple(
            number
            for number, (own, sentence) in enumerate(pairs)
            if any(_is_within(pair, sentence.span) for pair in own)
        )

    def compose(self, written: Sequence[Written], alignments: Mapping[int, Alignment]) -> Composed:
        """Put the document together again.

        Args:
            written: What the model wrote for each sentence.
            alignments: Of the sentences with tags, by their number, as far as they are known.
        """
        work = _Composing(self, written, alignments)
        replaced: list[tuple[Span, str]] = []
        targets: list[Span] = []
        first = 0
        # Attributes come first: tags of running text have them.
        numbered = []
        for block, passage in zip(self.blocks, self.passages, strict=True):
            numbered.append((block, passage, first))
            first += len(passage.sentences)
        for block, passage, number in numbered:
            if block.is_attribute:
                work.values.append((block.source, work.plain(passage, number)))
        work.values.sort()
        for block, passage, number in numbered:
            if not block.is_attribute:
                text = self.begin(work.running_text(block, passage, number))
                replaced.append((block.source, text))
            targets += [block.source] * len(passage.sentences)
        whole = _replaced(self.text, replaced, work.raw)
        return Composed(
            whole.text,
            tuple(whole.place.get(source, Span(0, 0)) for source in targets),
            tuple(work.misplaced),
        )


@dataclass(slots=True)
class _Composing:
    """A document on its way back."""

    document: Document
    written: Sequence[Written]
    alignments: Mapping[int, Alignment]
    values: list[tuple[Span, str]] = field(default_factory=list)
    """Values of attributes, translated."""
    misplaced: list[int] = field(default_factory=list)

    def raw(self, span: Span) -> str:
        """Return a part of the document that is no text, with translated attributes."""
        inside = overlapping(self.values, span, lambda value: value[0])
        parts: list[str] = []
        read = span.start
        for place, value in inside:
            parts += (self.document.text[read : place.start], value)
            read = place.end
        return "".join([*parts, self.document.text[read : span.end]])

    def plain(self, passage: Passage, number: int) -> str:
        """Return the translated value of an attribute."""
        texts = [
            (found.read or sentence).restore(found.written)
            for sentence, found in zip(passage.sentences, self.written[number:], strict=False)
        ]
        return self.document.escape_value(passage.compose(texts)[0])

    def running_text(self, block: Block, passage: Passage, number: int) -> str:
        """Return a translated block as a part of the document."""
        parts: list[str] = []
        read = 0
        events = _outer_events(block, passage)
        for sentence in passage.sentences:
            while events and events[0][0] <= sentence.span.start:
                offset, _, tag = events.pop(0)
                parts += (self._layout(block, Span(read, offset)), self.raw(tag))
                read = offset
            parts.append(self._layout(block, Span(read, sentence.span.start)))
            parts.append(self._sentence(block, sentence, number))
            read = sentence.span.end
            number += 1
        for offset, _, tag in events:
            parts += (self._layout(block, Span(read, offset)), self.raw(tag))
            read = offset
        parts.append(self._layout(block, Span(read, len(block.text))))
        return "".join(parts)

    def _sentence(self, block: Block, sentence: Sentence, number: int) -> str:
        found = self.written[number]
        opaque = {one.span.start: at for one, at in zip(block.protected, block.opaque, strict=True)}

        def markup(one: Carried) -> str:
            return self.raw(opaque[one.span.start])

        write = self._writer(found.read or sentence, markup)
        pairs = [pair for pair in block.pairs if _is_within(pair, sentence.span)]
        if not pairs:
            return write(found.written)
        alignment = self.alignments.get(number)
        shield = (found.read or sentence).shield
        carried = [one for one in shield.carried if one.kind is Kind.MARKUP] if shield else []
        opaque_signs = frozenset(one.character for one in carried)
        tags = _tree(pairs, sentence.span, self.raw, carried)
        placed = place_tags(
            found.written,
            tags,
            alignment or align_by_place(found.written, sentence.span),
            write,
            opaque_signs,
        )
        if alignment is None or not placed.is_complete or not placed.is_sound:
            self.misplaced.append(number)
        if not placed.is_sound:
            # What was within a link, say, is not any more: better the sentence of the source.
            text = sentence.span.of(block.text) if sentence.shield is None else sentence.shield.text
            own = align_with_itself(text, sentence.source_offsets())
            tags = _tree(pairs, sentence.span, self.raw, carried)
            placed = place_tags(text, tags, own, self._writer(sentence, markup), opaque_signs)
        return placed.text

    def _writer(self, read: Sentence, markup: Callable[[Carried], str]) -> Escape:
        return lambda part: read.restore(part, self.document.escape, markup)

    def _layout(self, block: Block, span: Span) -> str:
        """Return what is between sentences as a part of the document."""
        parts: list[str] = []
        read = span.start
        opaque = list(zip(block.protected, block.opaque, strict=True))
        for one, place in overlapping(opaque, span, lambda pair: pair[0].span):
            parts += (self.document.escape(block.text[read : one.span.start]), self.raw(place))
            read = one.span.end
        parts.append(self.document.escape(block.text[read : span.end]))
        return "".join(parts)


def _is_within(pair: Pair, sentence: Span) -> bool:
    return _opens_within(pair, sentence) or _closes_within(pair, sentence)


def _opens_within(pair: Pair, sentence: Span) -> bool:
    start, end = pair.inside
    return sentence.start < start < sentence.end or (
        start == sentence.start and start < end < sentence.end
    )


def _closes_within(pair: Pair, sentence: Span) -> bool:
    start, end = pair.inside
    return sentence.start < end < sentence.end or (
        end == sentence.end and sentence.start < start < end
    )


def _outer_events(block: Block, passage: Passage) -> list[tuple[int, int, Span]]:
    """Return the tags that are in no sentence: offset in the text, place in the document, tag."""
    events: list[tuple[int, int, Span]] = []
    for pair in block.pairs:
        around = overlapping(
            passage.sentences,
            Span(max(pair.inside.start - 1, 0), pair.inside.end + 1),
            lambda sentence: sentence.span,
        )
        if not any(_opens_within(pair, sentence.span) for sentence in around):
            events.append((pair.inside.start, pair.opening.start, pair.opening))
        if not any(_closes_within(pair, sentence.span) for sentence in around):
            events.append((pair.inside.end, pair.closing.start, pair.closing))
    return sorted(events, key=lambda event: event[1])


def _tree(
    pairs: Sequence[Pair],
    sentence: Span,
    raw: Callable[[Span], str],
    carried: Sequence[Carried],
) -> list[Tag]:
    """Return the tags of a sentence, those within another as its children."""
    roots: list[Tag] = []
    outer: list[tuple[Pair, Tag]] = []
    for pair in pairs:
        tag = Tag(
            Span(max(pair.inside.start, sentence.start), min(pair.inside.end, sentence.end)),
            raw(pair.opening) if _opens_within(pair, sentence) else None,
            raw(pair.closing) if _closes_within(pair, sentence) else None,
            holds=frozenset(
                one.character
                for one in carried
                if pair.inside.start <= one.span.start and one.span.end <= pair.inside.end
            ),
        )
        while outer and outer[-1][0].closing.start < pair.opening.start:
            outer.pop()
        (outer[-1][1].children if outer else roots).append(tag)
        outer.append((pair, tag))
    return roots


@dataclass(frozen=True, slots=True)
class _Replaced:
    text: str
    place: Mapping[Span, Span]


def _replaced(
    document: str, replaced: Sequence[tuple[Span, str]], raw: Callable[[Span], str]
) -> _Replaced:
    """Return a document with some parts replaced, and where those are in it."""
    parts: list[str] = []
    place: dict[Span, Span] = {}
    read = written = 0
    for span, text in replaced:
        between = raw(Span(read, span.start))
        parts += (between, text)
        start = written + len(between)
        written = start + len(text)
        place[span] = Span(start, written)
        read = span.end
    parts.append(raw(Span(read, len(document))))
    return _Replaced("".join(parts), place)
