"""Filters drop what they say, and the report counts it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ferryman_training.corpus import SentencePair
from ferryman_training.corpus_config import FilterConfig
from ferryman_training.filters import DropReport, Fault, find_fault, same_numbers

GOOD = SentencePair("The file has 12 lines.", "Le fichier a 12 lignes.")
FAULTY = {
    Fault.BLANK: ({"blank": True}, SentencePair("a", " \t")),
    Fault.SHORT: ({"min_words": 2}, SentencePair("one two", "undeux")),
    Fault.LONG: ({"max_words": 5}, SentencePair("one two three four five", "a b c d e f g h")),
    Fault.RATIO: ({"max_ratio": 3.0}, SentencePair("a bcd", "abcdefgh ijklmnop")),
    Fault.IDENTICAL: ({"identical": True}, SentencePair("the same", " the  same")),
    Fault.NUMBERS: ({"numbers": True}, SentencePair("12 lines", "21 lignes")),
}


@pytest.mark.parametrize("fault", FAULTY)
def test_each_filter_finds_its_fault_and_no_other(fault):
    settings, _ = FAULTY[fault]
    found = {
        other: find_fault(pair, FilterConfig(**settings)) for other, (_, pair) in FAULTY.items()
    }
    assert found.pop(fault) == fault
    found.pop(Fault.BLANK, None)  # nothing on a side is short and unequal, too
    assert set(found.values()) == {None}
    assert find_fault(GOOD, FilterConfig(**settings)) is None


def test_by_default_nothing_is_a_fault():
    assert all(find_fault(pair, FilterConfig()) is None for _, pair in FAULTY.values())


@pytest.mark.parametrize(
    ("settings", "pair"),
    [
        ({"max_ratio": 2.0}, SentencePair("abcd", " abcdefgh ")),
        ({"min_words": 2, "max_words": 2}, SentencePair("a b", "c d")),
        ({"identical": True}, SentencePair("the same", "The same")),
    ],
)
def test_the_limits_themselves_are_allowed(settings, pair):
    assert find_fault(pair, FilterConfig(**settings)) is None


@pytest.mark.parametrize(
    ("source", "target", "same"),
    [
        ("no number", "aucun nombre", True),
        ("10,000.5 m", "10 000,5 m", True),
        ("10,000", "10000", True),
        ("from 3 to 45", "de 45 à 3", True),
        ("page 7", "page ٧", True),
        ("3 files", "fichiers", False),
        ("version 1.2", "version 1.3", False),
        ("12 and 12", "12", False),
    ],
)
def test_numbers_may_be_written_and_ordered_as_the_language_wants(source, target, same):
    assert same_numbers(SentencePair(source, target)) is same


@given(st.text(alphabet="0123456789 ,.a٣७", max_size=40))
def test_a_text_has_the_numbers_that_it_has(text):
    assert same_numbers(SentencePair(text, text))


def test_a_number_of_any_length_is_compared():
    assert same_numbers(SentencePair("9" * 10_000, "9" * 10_000 + "."))


def test_a_report_counts_and_keeps_the_first_example_of_each_fault():
    report = DropReport(read=10)
    for line in (3, 5):
        report.drop(Fault.NUMBERS, SentencePair(f"s{line}", f"t{line}"), part=1, line=line)
    later = DropReport(read=8)
    later.drop(Fault.TOKENS, GOOD, part=0, line=9)
    both = report.with_later(later)
    assert (both.read, both.total) == (10, 3)
    assert both.dropped == {Fault.NUMBERS: 2, Fault.TOKENS: 1}
    assert (both.examples[Fault.NUMBERS].line, both.examples[Fault.NUMBERS].source) == (3, "s3")
    assert report.total == 2
    assert DropReport.from_document(json.loads(json.dumps(both.as_document()))) == both
