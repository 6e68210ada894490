"""Inline tags put back into a translated sentence: around the words that they were around.

A word of the translation belongs to the tags around the source words that it is aligned with. As
tags must stay nested, what they get is one run of words each, within the run of the tags around
them.

Dimension key:
    S: source tokens with the end    T: target tokens
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from ferryman_server.engine.search import Floats
from ferryman_server.text.span import Span

_WORD: Final = re.compile(r"\w+(?:[-.]\w+)*['’]?|[^\w\s]")
"""Elided articles are words of their own, and so is every other sign."""
_GAP: Final = 2
"""Words of others that may stand within a run, as an article does that a language adds."""


@dataclass(slots=True)
class Tag:
    """A pair of tags, or the one of a pair that is in this sentence, and what is within."""

    inside: Span
    """Offsets in the source sentence."""
    opening: str | None
    """As it is written; None where it is before the sentence."""
    closing: str | None
    """As it is written; None where it is after the sentence."""
    children: list[Tag] = field(default_factory=list)
    holds: frozenset[str] = frozenset()
    """Characters that stand for parts of the document within, which must stay there."""


@dataclass(frozen=True, slots=True)
class Alignment:
    """Which offsets of a source each word of its translation comes from."""

    words: tuple[Span, ...]
    """Of the translation."""
    sources: tuple[frozenset[int], ...]
    """Offsets of the source that each is aligned with; empty where nobody knows."""


def align_words(
    written: str,
    target_places: Sequence[tuple[int, int]],
    source_places: Sequence[tuple[int, int]],
    attention: Floats,
) -> Alignment:
    """Align the words of a translation with the source by what its tokens looked at.

    Args:
        written: The translation.
        target_places: Where its tokens are in it, (T).
        source_places: Where the source tokens are in the source, (S - 1): without the end.
        attention: What each target token looked at, (at least T, S).
    """
    words = tuple(Span(*match.span()) for match in _WORD.finditer(written))
    # The end of the sentence stands for nothing that tags could be around.
    weights = attention[: len(target_places), : len(source_places)]
    best = weights.argmax(axis=1) if weights.size else np.zeros(len(weights), np.int64)
    sources: list[set[int]] = [set() for _ in words]
    token = 0
    for number, word in enumerate(words):
        while token < len(target_places) and target_places[token][1] <= word.start:
            token += 1
        for row in range(token, len(target_places)):
            if target_places[row][0] >= word.end:
                break
            if source_places and target_places[row][0] < target_places[row][1]:
                sources[number].update(range(*source_places[int(best[row])]))
    return Alignment(words, tuple(map(frozenset, sources)))


def align_by_place(written: str, source: Span) -> Alignment:
    """Align words as if the translation had the order and the proportions of its source."""
    words = tuple(Span(*match.span()) for match in _WORD.finditer(written))
    scale = (source.end - source.start) / max(len(written), 1)
    middles = [source.start + int((word.start + word.end) / 2 * scale) for word in words]
    return Alignment(words, tuple(frozenset({middle}) for middle in middles))


def align_with_itself(sentence: str, offsets: Sequence[int]) -> Alignment:
    """Align a sentence with itself.

    Args:
        sentence: As the model reads it.
        offsets: Where each of its offsets is in the source, and where it ends.
    """
    return Alignment(
        tuple(Span(place, place + 1) for place in range(len(sentence))),
        tuple(
            frozenset(range(offsets[place], max(offsets[place + 1], offsets[place] + 1)))
            for place in range(len(sentence))
        ),
    )


@dataclass(frozen=True, slots=True)
class Placed:
    """A translation with its tags."""

    text: str
    """As text of the document."""
    is_complete: bool
    """Whether all tags found words."""
    is_sound: bool
    """Whether every part of the document is within the tags that it was in."""


def place_tags(
    written: str,
    tags: Sequence[Tag],
    alignment: Alignment,
    write: Callable[[str], str],
    opaque: Set[str] = frozenset(),
) -> Placed:
    """Return a translation with its tags.

    Args:
        written: The translation.
        tags: In the order of the source; those within another are its children.
        alignment: Of the words of the translation.
        write: What makes text of the document of a part of the translation.
        opaque: Characters that stand for parts of the document.
    """
    work = _Placing(written, alignment, write, opaque)
    whole = work.render(tags, 0, len(alignment.words), Span(0, len(written)))
    return Placed(whole, work.is_complete, work.is_sound)


@dataclass(slots=True)
class _Placing:
    """One sentence on its way back to having tags."""

    written: str
    alignment: Alignment
    write: Callable[[str], str]
    opaque: Set[str]
    is_complete: bool = True
    is_sound: bool = True

    def render(self, tags: Sequence[Tag], first: int, last: int, span: Span) -> str:
        """Return a part of the translation with tags.

        Args:
            tags: Those directly in this part.
            first: The number of its first word.
            last: The number after its last word.
            span: Where it is.
        """
        words = self.alignment.words
        parts: list[str] = []
        read = span.start
        for tag, start, end in self._runs(tags, first, last):
            is_open, is_closed = tag.opening is not None, tag.closing is not None
            place = words[start].start if start < len(words) else span.end
            begin = max(read, min(place, span.end)) if is_open else read
            stop = words[end - 1].end if end > start else begin
            stop = stop if is_closed else span.end
            parts.append(self.write(self.written[read:begin]))
            parts.append(tag.opening or "")
            parts.append(self.render(tag.children, start, end, Span(begin, max(begin, stop))))
            parts.append(tag.closing or "")
            read = max(begin, stop)
            self.is_sound &= set(self.written[begin:read]) & self.opaque == tag.holds
        parts.append(self.write(self.written[read : span.end]))
        return "".join(parts)

    def _runs(self, tags: Sequence[Tag], first: int, last: int) -> list[tuple[Tag, int, int]]:
        """Return the words of each tag, in the order of the translation; none overlap."""
        taken = [False] * (last - first)
        runs: list[tuple[Tag, int, int]] = []
        # Those that are open at an edge have that edge; the longest of the others choose first.
        order = sorted(
            tags, key=lambda t: (t.opening is not None and t.closing is not None, -_size(t))
        )
        for tag in order:
            start, end = self._run(tag, first, last, taken)
            for place in range(start - first, end - first):
                taken[place] = True
            runs.append((tag, start, end))
        return sorted(runs, key=lambda run: (run[1], run[2], run[0].inside.start))

    def _run(self, tag: Tag, first: int, last: int, taken: Sequence[bool]) -> tuple[int, int]:
        own = [
            number
            for number in range(first, last)
            if not taken[number - first] and self._belongs(number, tag)
        ]
        if not own:
            if tag.inside.start < tag.inside.end:
                self.is_complete = False
            return self._nearest_free(tag, first, last, taken)
        run = max(_clusters(own, taken, first), key=len)
        must = [number for number in own if self._sign(number) in tag.holds]
        start = min([run[0], *must]) if tag.opening is not None else first
        end = max([run[-1], *must]) + 1 if tag.closing is not None else last
        return start, end

    def _sign(self, number: int) -> str:
        return self.alignment.words[number].of(self.written)

    def _belongs(self, number: int, tag: Tag) -> bool:
        if (sign := self._sign(number)) in self.opaque:
            return sign in tag.holds
        sources = self.alignment.sources[number]
        inside = sum(tag.inside.start <= offset < tag.inside.end for offset in sources)
        return 2 * inside > len(sources)

    def _nearest_free(
        self, tag: Tag, first: int, last: int, taken: Sequence[bool]
    ) -> tuple[int, int]:
        """Return an empty run after the words that come before a tag."""
        if tag.opening is None:
            return first, first
        if tag.closing is None:
            return last, last
        before = [
            number
            for number in range(first, last)
            if self.alignment.sources[number]
            and max(self.alignment.sources[number]) < tag.inside.start
        ]
        place = before[-1] + 1 if before else first
        while place < last and place > first and taken[place - first] and taken[place - 1 - first]:
            place += 1
        return place, place


def _clusters(own: Sequence[int], taken: Sequence[bool], first: int) -> list[list[int]]:
    """Return words in runs that have few others, and none of other tags, between them."""
    runs = [[own[0]]]
    for number in own[1:]:
        between = range(runs[-1][-1] + 1, number)
        if len(between) <= _GAP and not any(taken[n - first] for n in between):
            runs[-1].append(number)
        else:
            runs.append([number])
    return runs


def _size(tag: Tag) -> int:
    return tag.inside.end - tag.inside.start
