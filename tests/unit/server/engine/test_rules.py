"""Rules for single tokens, against their definitions."""

from __future__ import annotations

import doctest
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from textbook import windows

from ferryman_server.engine import Search, rules
from ferryman_server.engine.rules import (
    Rules,
    discount_repetitions,
    draw_towards,
    ends_of_ngrams,
    ends_of_sequences,
)

EOS = 3
tokens = st.lists(st.integers(4, 6), max_size=12)


def test_the_examples_in_the_docstrings_hold():
    failures, examples = doctest.testmod(rules)
    assert failures == 0
    assert examples == 2


@given(ids=tokens, size=st.integers(1, 5))
def test_an_ngram_is_forbidden_if_it_would_come_a_second_time(ids, size):
    seen = windows(ids, size)
    expected = {token for token in range(4, 7) if tuple([*ids, token][-size:]) in seen}
    if len(ids) + 1 < size:
        expected = set()
    assert ends_of_ngrams(ids, size) == expected


@given(ids=tokens, sequences=st.lists(st.lists(st.integers(4, 6), min_size=1, max_size=3)))
def test_a_sequence_is_forbidden_at_its_last_token(ids, sequences):
    expected = {
        token
        for token in range(4, 7)
        if any([*ids, token][-len(sequence) :] == sequence for sequence in sequences)
    }
    assert ends_of_sequences(ids, sequences) == expected


def test_repetitions_become_less_likely_and_nothing_else_changes():
    log_probs = np.log([0.5, 0.25, 0.25])
    changed = discount_repetitions(log_probs, [1, 1, 0], 2.0)
    assert np.exp(changed) == pytest.approx([0.25, 0.0625, 0.25])
    assert np.exp(log_probs) == pytest.approx([0.5, 0.25, 0.25])


@given(bias=st.floats(0, 1))
def test_a_biased_prefix_mixes_with_certainty(bias):
    probabilities = np.array([0.5, 0.25, 0.25])
    changed = np.exp(draw_towards(np.log(probabilities), 2, bias))
    assert changed == pytest.approx((1 - bias) * probabilities + bias * np.array([0, 0, 1]))


def adjusted(search, ids, log_probs=(-4.0, -3.0, -2.0, -1.0)):
    """Return what a search makes of the tokens 3 (the end) to 6."""
    own = Rules(search, eos=EOS)
    every = np.float32([-np.inf] * 3 + list(log_probs))
    found = own.adjusted(ids, every, np.arange(7), forbidden=own.forbidden(ids))
    return dict(zip(range(3, 7), found[3:].tolist(), strict=True))


def test_a_forced_token_comes_whatever_forbids_it():
    search = Search(max_tokens=9, prefix=(5,), forced=((2, 4),), suppressed=((5,), (4,)))
    assert adjusted(search, ()) == {3: -math.inf, 4: -math.inf, 5: -2.0, 6: -math.inf}
    assert adjusted(search, (5,)) == {3: -4.0, 4: -math.inf, 5: -math.inf, 6: -1.0}
    assert adjusted(search, (5, 6)) == {3: -math.inf, 4: -3.0, 5: -math.inf, 6: -math.inf}


def test_a_forced_place_goes_before_the_prefix():
    search = Search(max_tokens=9, prefix=(5, 6), forced=((1, 4),))
    assert adjusted(search, (5,))[4] == -3.0
    assert adjusted(search, (5,))[6] == -math.inf


def test_the_end_may_not_come_early():
    search = Search(max_tokens=9, min_tokens=2)
    assert [adjusted(search, ids)[EOS] for ids in ((), (5,), (5, 6))] == [
        -math.inf,
        -math.inf,
        -4.0,
    ]


def test_a_bias_ends_where_the_prefix_was_left():
    search = Search(max_tokens=9, prefix=(5, 6), prefix_bias=0.5)
    assert adjusted(search, (5,))[6] > -1.0
    assert adjusted(search, (4,))[6] == -1.0
    assert adjusted(search, (5, 6))[6] == -1.0
