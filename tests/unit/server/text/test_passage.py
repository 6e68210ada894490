"""A text prepared for the model and put together again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ferryman_server.text.passage import (
    LongInput,
    SentenceTooLongError,
    TextOptions,
    prepare_passage,
)
from ferryman_server.text.span import Span

TEXTS = st.text(max_size=100) | st.text(
    alphabet="abc .!?\n\t\r\u00a0\u3000😀«é\u0301,;", max_size=200
)


class Letters:
    def encode(self, text: str) -> list[int]:
        return [ord(letter) for letter in text if letter != "\u00b2"]


def prepare(text: str, max_tokens: int = 50, **options):
    return prepare_passage(
        text, TextOptions(**options), language="en", encoder=Letters(), max_tokens=max_tokens
    )


@given(
    TEXTS, st.integers(1, 30), st.booleans(), st.sampled_from([LongInput.SPLIT, LongInput.TRUNCATE])
)
def test_every_sentence_replaced_by_itself_is_the_text(text, limit, split, long_input):
    passage = prepare(text, limit, split_sentences=split, long_input=long_input)
    composed, spans = passage.compose([s.span.of(text) for s in passage.sentences])
    assert composed == text
    assert spans == [sentence.span for sentence in passage.sentences]


@given(TEXTS, st.integers(1, 30))
def test_every_sentence_has_tokens_and_not_too_many(text, limit):
    for sentence in prepare(text, limit).sentences:
        assert 1 <= len(sentence.tokens) <= limit


@given(TEXTS, st.data())
def test_the_spans_of_a_translation_are_where_the_replacements_are(text, data):
    passage = prepare(text)
    replacements = data.draw(
        st.lists(
            st.text(max_size=5), min_size=len(passage.sentences), max_size=len(passage.sentences)
        )
    )
    composed, spans = passage.compose(replacements)
    assert [span.of(composed) for span in spans] == replacements


def test_layout_is_kept():
    text = "  One. Two.\r\n\r\n\t- Three!  \n-----\n"
    passage = prepare(text)
    composed, _ = passage.compose([s.span.of(text).upper() for s in passage.sentences])
    assert composed == "  ONE. TWO.\r\n\r\n\t- THREE!  \n-----\n"


def test_a_blank_text_has_no_sentences_and_stays():
    for text in ("", " ", "\n\t \u3000"):
        passage = prepare(text)
        assert passage.sentences == ()
        assert passage.compose([]) == (text, [])


def test_line_breaks_become_spaces_when_they_are_not_kept():
    passage = prepare("One line\nof two.", keep_newlines=False)
    assert [s.span for s in passage.sentences] == [Span(0, 16)]
    assert passage.text == "One line of two."


def test_a_long_sentence_is_split_and_reported():
    passage = prepare("A very long sentence, of two clauses. Short.", 25)
    pieces = [s.span.of(passage.text) for s in passage.sentences]
    assert pieces == ["A very long sentence,", "of two clauses.", "Short."]
    assert passage.split == (Span(0, 37),)
    assert passage.truncated == ()


def test_a_long_sentence_is_truncated_and_reported():
    passage = prepare("abcdef. gh.", 4, long_input=LongInput.TRUNCATE)
    assert [len(s.tokens) for s in passage.sentences] == [4, 3]
    assert passage.truncated == (Span(0, 7),)
    assert passage.split == ()


def test_a_long_sentence_is_refused_with_its_length_and_the_limit():
    with pytest.raises(SentenceTooLongError, match=r"7 tokens.*at most 4") as caught:
        prepare("gh. abcdef.", 4, long_input=LongInput.ERROR)
    assert (caught.value.tokens, caught.value.limit) == (7, 4)
    assert caught.value.span == Span(4, 11)


def test_a_word_of_five_thousand_letters_is_cut_to_size():
    passage = prepare("x" * 5000, 100)
    assert sum(len(s.tokens) for s in passage.sentences) == 5000
    assert max(len(s.tokens) for s in passage.sentences) <= 100


def test_what_the_tokenizer_makes_nothing_of_is_layout():
    passage = prepare("\u00b2 \u00b2")  # alphanumeric, and dropped by this tokenizer
    assert [s.tokens for s in passage.sentences] == [(32,)]
    assert prepare("\u00b2").sentences == ()


def test_a_wrong_number_of_replacements_is_an_error():
    with pytest.raises(ValueError, match="zip"):
        prepare("One. Two.").compose(["Un."])
