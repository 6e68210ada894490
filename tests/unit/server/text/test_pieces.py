"""Cutting what is too long."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ferryman_server.text.pieces import cut_sentence
from ferryman_server.text.span import Span


def cut(text: str, limit: int) -> list[str]:
    pieces = cut_sentence(text, Span(0, len(text)), lambda piece: piece.end - piece.start <= limit)
    return [piece.of(text) for piece in pieces]


@given(st.text(alphabet="abc,;: é\u0301、。", max_size=200), st.integers(1, 40))
def test_pieces_fit_and_lose_nothing_but_white_space(text, limit):
    spans = list(
        cut_sentence(text, Span(0, len(text)), lambda piece: piece.end - piece.start <= limit)
    )
    assert all(span.end - span.start <= limit for span in spans)
    assert all(first.end <= second.start for first, second in itertools.pairwise(spans))
    kept = {i for span in spans for i in range(*span)}
    assert all(text[i].isspace() for i in range(len(text)) if i not in kept)


@pytest.mark.parametrize(
    ("text", "limit", "expected"),
    [
        ("short", 10, ["short"]),
        ("one two, three four", 12, ["one two,", "three four"]),
        ("one two three four", 12, ["one two", "three four"]),
        ("aaaaaaaaaa", 5, ["aaaaa", "aaaaa"]),
        ("x aaaaaaaaaaaaaaaaaaaa", 20, ["x", "aaaaaaaaaaaaaaaaaaaa"]),
        ("今日は晴れ、明日は雨です", 8, ["今日は晴れ、", "明日は雨です"]),
    ],
)
def test_the_cut_is_where_a_reader_would_pause(text, limit, expected):
    assert cut(text, limit) == expected


def test_an_accent_stays_on_its_letter():
    text = "e\u0301" * 8
    assert all(not piece.startswith("\u0301") for piece in cut(text, 5))


def test_a_clause_end_near_the_edge_does_not_make_a_stump():
    text = "Well, " + "word " * 20
    assert cut(text, 60)[0].startswith("Well, word word")


def test_only_the_sentence_is_cut_not_the_text_around_it():
    text = "before. one two three four. after."
    pieces = cut_sentence(text, Span(8, 27), lambda piece: piece.end - piece.start <= 12)
    assert [piece.of(text) for piece in pieces] == ["one two", "three four."]


def test_a_piece_of_one_code_point_is_never_cut():
    assert list(cut_sentence("ab", Span(0, 2), lambda _: False)) == [Span(0, 1), Span(1, 2)]
