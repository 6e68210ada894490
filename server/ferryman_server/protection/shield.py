"""A sentence with a reserved character for each protected span, and the way back.

Each span has a character of its own, so it can be told whether a translation has all of them, each
once, and in which order. A pair of tags has the two characters of a pair.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from ferryman_bundle.tokenizer import CLOSING_TAGS, OPENING_TAGS, PLACEHOLDERS, RESERVED
from ferryman_server.protection.detection import Protected, joined
from ferryman_server.protection.kinds import Kind
from ferryman_server.text.span import Span, overlapping

MOST_SPANS: Final = len(PLACEHOLDERS)
"""Protected spans that one sentence may have."""

_ARGUMENTS, _TAGS = -1, -2
"""Chains of all that takes the next argument, and of all tags; others have one span each."""
_RESERVED: Final = re.compile(f"[{RESERVED[0]}-{RESERVED[-1]}]")
_TAG_NAME: Final = re.compile(r"<(/?)([A-Za-z][\w:-]*)[^>]*?(/?)>\Z")


@dataclass(frozen=True, slots=True)
class Carried:
    """One protected span, and the character that stands for it."""

    character: str
    text: str
    """What is restored in its place."""
    span: Span
    """Where it is in the text that it comes from."""
    kind: Kind
    chain: int
    """Spans of one chain must keep their order."""


@dataclass(frozen=True, slots=True)
class Shield:
    """A sentence whose protected spans are single characters."""

    text: str
    """The sentence with a character for each span; the model reads this."""
    carried: tuple[Carried, ...]
    """In the order of the sentence."""

    @property
    def chains(self) -> tuple[str, ...]:
        """The characters of spans that must keep their order, a chain each."""
        chains: dict[int, str] = {}
        for one in self.carried:
            chains[one.chain] = chains.get(one.chain, "") + one.character
        return tuple(chains.values())

    def carries(self, translation: str) -> bool:
        """Tell whether a translation has each span once, no other reserved character, and order.

        Args:
            translation: As the model wrote it.
        """
        found = _RESERVED.findall(translation)
        if len(found) != len(self.carried):
            return False
        places = {character: place for place, character in enumerate(found)}
        if len(places) != len(found):
            return False
        return all(
            character in places
            and (i == 0 or (chain[i - 1] in places and places[chain[i - 1]] < places[character]))
            for chain in self.chains
            for i, character in enumerate(chain)
        )

    def lost(self, translation: str) -> tuple[Carried, ...]:
        """Return the spans that a translation does not have just once."""
        return tuple(one for one in self.carried if translation.count(one.character) != 1)

    def restore(
        self,
        translation: str,
        escape: Callable[[str], str] = str,
        markup: Callable[[Carried], str] | None = None,
    ) -> str:
        """Return a translation with its spans in place of the characters.

        Args:
            translation: As the model wrote it, or a part of it.
            escape: What makes plain text text of a document.
            markup: What a part of a document that is no text is there; None for what it is here.
        """
        texts: dict[str, str] = {}
        for one in self.carried:
            if one.kind is Kind.MARKUP:
                texts[one.character] = one.text if markup is None else markup(one)
            else:
                texts[one.character] = escape(one.text)
        parts = re.split(f"({_RESERVED.pattern})", translation)
        return "".join(
            # A reserved character that stands for nothing was made up by the model.
            texts.get(part, "") if i % 2 else escape(part)
            for i, part in enumerate(parts)
        )

    def offsets(self, written: str) -> list[int]:
        """Return where each offset of a text with characters is in the same text restored."""
        lengths = dict.fromkeys(RESERVED, 0)
        return _offsets(written, lengths | {one.character: len(one.text) for one in self.carried})

    @property
    def source_offsets(self) -> list[int]:
        """Where each offset of ``text`` is in the sentence that it comes from."""
        lengths = {one.character: one.span.end - one.span.start for one in self.carried}
        return _offsets(self.text, lengths)

    def applied_to(self, text: str) -> str:
        """Return another text with the characters where it has the same spans, each used once."""
        for one in self.carried:
            if one.text:
                text = text.replace(one.text, one.character, 1)
        return text


def shielded(text: str, sentence: Span, protected: Sequence[Protected]) -> Shield:
    """Put a reserved character in the place of each protected span of a sentence.

    Args:
        text: The text that the sentence is in.
        sentence: Where it is.
        protected: Protected spans of the text, in order; those outside the sentence are left out.
    """
    inside = [
        one
        for one in overlapping(protected, sentence, lambda one: one.span)
        if sentence.start <= one.span.start and one.span.end <= sentence.end
    ]
    carried = tuple(_carried(text, list(joined(text, inside))))
    parts: list[str] = []
    read = sentence.start
    for one in carried:
        parts += (_foreign(text[read : one.span.start]), one.character)
        read = one.span.end
    parts.append(_foreign(text[read : sentence.end]))
    return Shield("".join(parts), carried)


def _offsets(written: str, lengths: Mapping[str, int]) -> list[int]:
    offsets = [0]
    for character in written:
        offsets.append(offsets[-1] + lengths.get(character, 1))
    return offsets


def without_reserved(text: str) -> str:
    """Return a text without reserved characters."""
    return _RESERVED.sub("", text)


def _foreign(text: str) -> str:
    """Return a part of the text whose reserved characters stand for nothing of ours."""
    return _RESERVED.sub("\ufffd", text)


def _carried(text: str, protected: list[Protected]) -> Iterator[Carried]:
    pairs = _tag_pairs(text, protected)
    singles = 0
    for number, one in enumerate(protected):
        pair = pairs.get(number)
        if pair is None:
            # What has more than there are characters is cut before anything is made of it.
            character = PLACEHOLDERS[singles % len(PLACEHOLDERS)]
            singles += 1
            is_tag = one.kind is Kind.TAG and text[one.span.start] == "<"
            is_tag |= one.kind is Kind.MARKUP and one.is_ordered
            chain = _TAGS if is_tag else _ARGUMENTS if one.is_ordered else number
        else:
            index, is_closing = pair
            character = (CLOSING_TAGS if is_closing else OPENING_TAGS)[index]
            chain = _TAGS
        restored = one.span.of(text) if one.replacement is None else one.replacement
        yield Carried(character, restored, one.span, one.kind, chain)


def _tag_pairs(text: str, protected: Sequence[Protected]) -> dict[int, tuple[int, bool]]:
    """Return, for each protected span that is a tag of a pair, the number of the pair.

    Only what is nested as it should be makes pairs, and no more than there are characters for.
    """
    pairs: dict[int, tuple[int, bool]] = {}
    opened: list[tuple[str, int]] = []
    for number, one in enumerate(protected):
        match = _TAG_NAME.match(one.span.of(text)) if one.kind is Kind.TAG else None
        if match is None or match[3]:
            continue
        if not match[1]:
            opened.append((match[2], number))
        elif opened and opened[-1][0] == match[2]:
            _, opening = opened.pop()
            index = len(pairs) // 2
            if index < len(OPENING_TAGS):
                pairs[opening] = index, False
                pairs[number] = index, True
    return pairs
