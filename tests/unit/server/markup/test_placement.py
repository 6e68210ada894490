"""Tags around the words that theirs were aligned with."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ferryman_server.markup.placement import Alignment, Tag, align_words, place_tags
from ferryman_server.text.span import Span


def aligned(text: str, *sources: int | None) -> Alignment:
    """Align the words of a text with offsets of a source."""
    words, place = [], 0
    for word in text.split(" "):
        words.append(Span(place, place + len(word)))
        place += len(word) + 1
    return Alignment(
        tuple(words),
        tuple(frozenset() if source is None else frozenset({source}) for source in sources),
    )


def b(start: int, end: int, *children: Tag) -> Tag:
    return Tag(Span(start, end), "<b>", "</b>", list(children))


def i(start: int, end: int) -> Tag:
    return Tag(Span(start, end), "<i>", "</i>")


# The source has a word at each offset.
@pytest.mark.parametrize(
    ("tags", "sources", "expected"),
    [
        ([b(1, 2)], (0, 1, 2), "u <b>v</b> w"),
        ([b(1, 2)], (1, 0, 2), "<b>u</b> v w"),
        ([b(0, 2)], (2, 1, 0), "u <b>v w</b>"),
        ([b(0, 2)], (0, None, 1), "<b>u v w</b>"),
        ([b(0, 1), i(1, 2)], (1, 0, 2), "<i>u</i> <b>v</b> w"),
        ([b(0, 3, i(1, 2))], (2, 1, 0), "<b>u <i>v</i> w</b>"),
        ([b(0, 2, i(0, 1))], (2, 1, 0), "u <b>v <i>w</i></b>"),
        ([b(1, 1)], (0, 1, 2), "u <b></b>v w"),
        ([Tag(Span(0, 2), None, "</b>")], (0, 1, 2), "u v</b> w"),
        ([Tag(Span(1, 3), "<b>", None)], (0, 1, 2), "u <b>v w"),
    ],
)
def test_tags_go_where_their_words_went(tags, sources, expected):
    placed = place_tags("u v w", tags, aligned("u v w", *sources), str)
    assert placed.text == expected
    assert placed.is_complete


def test_a_tag_whose_words_are_nowhere_is_kept_and_that_is_said():
    placed = place_tags("u v", [b(1, 2)], aligned("u v", 0, 2), str)
    assert placed.text == "u <b></b>v"
    assert not placed.is_complete


def test_what_stands_for_a_part_of_the_document_stays_within_its_tags():
    link = b(1, 3)
    link.holds = frozenset("X")
    inside = place_tags("u X v w", [link], aligned("u X v w", 0, 5, 1, 2), str, frozenset("XY"))
    assert inside.text == "u <b>X v w</b>"
    assert inside.is_sound
    outside = place_tags("u v Y X", [link], aligned("u v Y X", 0, 1, 5, 2), str, frozenset("XY"))
    assert not outside.is_sound


@st.composite
def forests(draw, start=0, end=6, depth=0):
    tags, place = [], start
    while place < end and depth < 3 and draw(st.booleans()):
        first = draw(st.integers(place, end))
        last = draw(st.integers(first, end))
        tags.append(b(first, last, *draw(forests(first, last, depth + 1))))
        place = last
    return tags


def shape(tags: list[Tag]) -> list:
    return sorted(shape(tag.children) for tag in tags)


def parsed(text: str) -> list:
    stack: list[list] = [[]]
    for part in text.replace("<b>", "\0<\0").replace("</b>", "\0>\0").split("\0"):
        if part == "<":
            stack.append([])
        elif part == ">":
            inner = sorted(stack.pop())
            stack[-1].append(inner)
    assert len(stack) == 1
    return sorted(stack[0])


@given(forests(), st.lists(st.one_of(st.none(), st.integers(0, 5)), min_size=6, max_size=6))
def test_whatever_the_alignment_the_tree_and_the_words_stay(tags, sources):
    text = place_tags("u v w x y z", tags, aligned("u v w x y z", *sources), str).text
    assert text.replace("<b>", "").replace("</b>", "") == "u v w x y z"
    assert parsed(text) == shape(tags)


def test_words_are_aligned_by_what_their_tokens_looked_at_most():
    written = "l'option -v"
    targets = [(0, 2), (2, 8), (8, 11)]
    sources = [(0, 2), (3, 9)]
    attention = np.float32([[0.1, 0.6, 0.3], [0.2, 0.7, 0.1], [0.5, 0.1, 0.4], [0, 0, 1]])
    found = align_words(written, targets, sources, attention)
    assert [word.of(written) for word in found.words] == ["l'", "option", "-", "v"]
    assert found.sources[0] == found.sources[1] == frozenset(range(3, 9))
    assert found.sources[3] == frozenset(range(2))
