"""A block: running text of a document, its inline tags set apart from it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from ferryman_server.protection.detection import Protected
from ferryman_server.protection.kinds import Kind
from ferryman_server.text.sentences import has_words
from ferryman_server.text.span import Span

_WHITE_SPACE: Final = re.compile(r"[ \t\n\r\f]+")


class Part(Enum):
    """What a part of a document is."""

    TEXT = auto()
    """Text to translate."""
    OPAQUE = auto()
    """What stays as it is, and stands in the running text: an image, code, a comment."""
    OPEN = auto()
    CLOSE = auto()


@dataclass(frozen=True, slots=True)
class Item:
    """One part of a document."""

    part: Part
    source: Span
    """Where it is in the document."""
    text: str = ""
    """What a reader sees of text, entities resolved."""
    name: str = ""
    """Of a tag: an opening one is closed by one of the same name."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two tags and what is between them."""

    inside: Span
    """In the text of the block."""
    opening: Span
    """In the document."""
    closing: Span
    """In the document."""


@dataclass(frozen=True, slots=True)
class Block:
    """Running text of a document."""

    source: Span
    """Where it is in the document."""
    text: str
    """What is translated: text, with opaque parts as they are in the document, without tags."""
    protected: tuple[Protected, ...] = ()
    """The opaque parts, in the text."""
    opaque: tuple[Span, ...] = ()
    """The same parts in the document, in the same order."""
    pairs: tuple[Pair, ...] = ()
    """Inline tags, outer before inner, in the order of their opening."""
    is_attribute: bool = False
    """Whether it is the value of an attribute, in quotation marks."""


def make_block(document: str, items: Sequence[Item]) -> Block | None:
    """Return a block of running text; None where there is nothing to translate.

    White space counts as one space, as in a browser. Tags that are not paired within the block stay
    where they are in the running text.

    Args:
        document: The document.
        items: What the block consists of, in order, without gaps.
    """
    items = _trimmed(items)
    partner = _partners(items)
    if any(
        i not in partner and item.part in (Part.OPEN, Part.CLOSE) for i, item in enumerate(items)
    ):
        # Where not all tags are nested, all must keep their order to mean the same.
        partner = {}
    if not any(item.part is Part.TEXT and has_words(item.text) for item in items):
        return None
    text = ""
    protected: list[Protected] = []
    opaque: list[Span] = []
    opened: dict[int, int] = {}
    pairs: dict[int, Pair] = {}
    for number, item in enumerate(items):
        if item.part is Part.TEXT:
            more = _WHITE_SPACE.sub(" ", item.text)
            text += more[1:] if text.endswith(" ") and more.startswith(" ") else more
        elif number in partner and item.part is Part.OPEN:
            opened[number] = len(text)
        elif number in partner:
            opening = partner[number]
            inside = Span(opened[opening], len(text))
            pairs[opening] = Pair(inside, items[opening].source, item.source)
        else:
            raw = item.source.of(document)
            is_tag = item.part is not Part.OPAQUE
            span = Span(len(text), len(text) + len(raw))
            protected.append(Protected(span, Kind.MARKUP, is_tag))
            opaque.append(item.source)
            text += raw
    return Block(
        Span(items[0].source.start, items[-1].source.end),
        text,
        tuple(protected),
        tuple(opaque),
        tuple(pairs[number] for number in sorted(pairs)),
    )


def _trimmed(items: Sequence[Item]) -> Sequence[Item]:
    """Return items without what is before and after all text and belongs to none of it."""
    partner = _partners(items)
    inner = [
        number
        for number, item in enumerate(items)
        if number in partner or (item.part is Part.TEXT and item.text.strip())
    ]
    return items[inner[0] : inner[-1] + 1] if inner else []


def _partners(items: Sequence[Item]) -> dict[int, int]:
    """Return the number of the other tag of each tag that is nested as it should be."""
    partner: dict[int, int] = {}
    opened: list[int] = []
    for number, item in enumerate(items):
        if item.part is Part.OPEN:
            opened.append(number)
        elif item.part is Part.CLOSE:
            if opened and items[opened[-1]].name == item.name:
                other = opened.pop()
                partner[number], partner[other] = other, number
            else:
                # What is not nested stays where it is, and so does what it cuts across.
                opened.clear()
    return partner
