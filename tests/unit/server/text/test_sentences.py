"""Where the sentences of a text are, and that everything else stays as it is."""

from __future__ import annotations

import time

import pytest
import sentencex
from hypothesis import given
from hypothesis import strategies as st

from ferryman_server.text.sentences import find_lines, find_sentences, join_lines

LANGUAGES = st.sampled_from(["en", "fr", "de", "ja", "ar", "hi", "en-US", "zz-Hant", "x"])
AWKWARD = "ab .!?\"'()[]1*-+•–…。！？،\n\t\r\f\u00a0\u3000\u200b\u0301😀«»A:;,\x00\x1d\u2028\ue000"
TEXTS = st.text(max_size=80) | st.text(alphabet=AWKWARD, max_size=120)


def sentences(text: str, language: str = "en") -> list[str]:
    return [span.of(text) for span in find_sentences(text, language)]


@given(TEXTS, LANGUAGES)
def test_sentences_are_in_order_disjoint_trimmed_and_have_words(text, language):
    end = 0
    for span in find_sentences(text, language):
        sentence = span.of(text)
        assert end <= span.start < span.end <= len(text)
        assert sentence == sentence.strip()
        assert any(character.isalnum() for character in sentence)
        end = span.end


@given(TEXTS, LANGUAGES)
def test_no_word_is_outside_of_all_sentences(text, language):
    covered = [False] * len(text)
    for span in find_sentences(text, language):
        covered[span.start : span.end] = [True] * (span.end - span.start)
    assert not [c for c, inside in zip(text, covered, strict=True) if c.isalnum() and not inside]


@given(TEXTS, LANGUAGES)
def test_a_sentence_never_goes_over_a_line_break_or_a_tab(text, language):
    for sentence in sentences(text, language):
        assert len(sentence.splitlines()) == 1
        assert "\t" not in sentence


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("en", "Dr. Smith arrived. He left.", ["Dr. Smith arrived.", "He left."]),
        ("en", "One line\nand another", ["One line", "and another"]),
        ("en", "  indented.  Twice.  \n\n\tTab", ["indented.", "Twice.", "Tab"]),
        ("fr", "Il est arrivé. Elle est partie.", ["Il est arrivé.", "Elle est partie."]),
        ("ja", "東京です。大阪です。", ["東京です。", "大阪です。"]),
        ("en", "-----\n***\n?!", []),
        ("en", "😀 Emoji first. Then 😀 words.", ["😀 Emoji first.", "Then 😀 words."]),
        ("", "No language. At all.", ["No language.", "At all."]),
    ],
)
def test_sentences_are_found(language, text, expected):
    assert sentences(text, language) == expected


def test_lines_are_sentences_when_nothing_else_is_asked():
    text = "One. Two.\n\n  Three. "
    assert [span.of(text) for span in find_lines(text)] == ["One. Two.", "Three."]


@given(st.text(alphabet=AWKWARD, max_size=60))
def test_joining_lines_leaves_every_other_code_point_where_it_is(text):
    joined = join_lines(text)
    assert len(joined) == len(text)
    assert all(
        new == old or (new == " " and len(f"a{old}a".splitlines()) == 2)
        for new, old in zip(joined, text, strict=True)
    )
    assert not set("\n\r\u2028") & set(joined)


@pytest.mark.parametrize("unit", ["« A. ", "“A. ", "'a. ' ", "a", "A. ", "(a. ", "。"])
def test_no_text_takes_quadratic_time(unit):
    def seconds(length: int) -> float:
        text = unit * (length // len(unit))
        started = time.perf_counter()
        find_sentences(text, "en")
        return time.perf_counter() - started

    seconds(1000)
    small, large = min(seconds(20_000) for _ in range(3)), seconds(200_000)
    assert large < 50 * small + 0.1, "10 times the text took more than 50 times as long"


def test_a_segmenter_that_panics_leaves_the_line_whole(monkeypatch):
    class PanicException(BaseException):
        pass

    def panic(language: str, text: str) -> list[str]:
        raise PanicException

    monkeypatch.setattr(sentencex, "segment", panic)
    assert sentences("One. Two.\nThree. Four.") == ["One. Two.", "Three. Four."]


def test_a_segmenter_that_loses_code_points_leaves_the_line_whole(monkeypatch):
    monkeypatch.setattr(sentencex, "segment", lambda _, text: [text[:3]])
    assert sentences("One. Two.") == ["One. Two."]


def test_an_interrupt_is_no_panic(monkeypatch):
    def interrupt(language: str, text: str) -> list[str]:
        raise KeyboardInterrupt

    monkeypatch.setattr(sentencex, "segment", interrupt)
    with pytest.raises(KeyboardInterrupt):
        sentences("One. Two.")
