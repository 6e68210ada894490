"""What a search may ask for, and what that takes."""

from __future__ import annotations

import doctest
import math

import pytest

from ferryman_server.engine import LengthPenalty, Sampling, Search, Tail, search_options

NAN = float("nan")


def test_the_examples_in_the_docstrings_hold():
    failures, examples = doctest.testmod(search_options)
    assert failures == 0
    assert examples == 2


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"max_tokens": 0}, "max_tokens must be at least 1, but is 0"),
        ({"min_tokens": 5}, r"min_tokens must be at least 0 and below max_tokens \(5\)"),
        ({"beam_size": 0}, "beam_size must be at least 1"),
        ({"beam_size": 2, "num_hypotheses": 3}, r"num_hypotheses must be between 1 and beam_size"),
        ({"alternatives": 2, "num_hypotheses": 3}, r"between 1 and alternatives \(2\), but is 3"),
        ({"sampling": Sampling(seed=0), "num_hypotheses": 0}, "num_hypotheses must be at least 1"),
        ({"length_penalty": -0.1}, "length_penalty must be between 0 and 10"),
        ({"length_penalty": NAN}, "length_penalty must be between 0 and 10, but is nan"),
        ({"coverage_penalty": NAN}, "coverage_penalty must be between 0 and 10"),
        ({"patience": 0.5}, "patience must be between 1 and 100"),
        ({"patience": 2.0}, "patience needs a beam"),
        ({"beam_size": 4, "groups": 3}, r"groups must divide beam_size \(4\), but is 3"),
        ({"groups": 0}, "groups must divide beam_size"),
        ({"diversity": -1.0}, "diversity must be between 0 and 100"),
        ({"alternatives": -1}, "alternatives must be at least 0"),
        ({"alternatives": 2, "sampling": Sampling(seed=0)}, "exclude each other"),
        ({"beam_size": 2, "sampling": Sampling(seed=0)}, "beam_size must be 1 with sampling"),
        ({"alternatives": 2, "prefix": (5,), "prefix_bias": 0.5}, "prefix_bias must be None"),
        ({"sampling": Sampling(seed=-1)}, "sampling.seed must be between 0 and 1844674407"),
        ({"sampling": Sampling(seed=0, temperature=0.0)}, "sampling.temperature must be above 0"),
        ({"sampling": Sampling(seed=0, temperature=NAN)}, "sampling.temperature must be above 0"),
        ({"sampling": Sampling(seed=0, top_k=-1)}, "sampling.top_k must be at least 0"),
        ({"sampling": Sampling(seed=0, top_p=0.0)}, "sampling.top_p must be above 0"),
        ({"sampling": Sampling(seed=0, min_p=1.1)}, "sampling.min_p must be between 0 and 1"),
        ({"repetition_penalty": 0.0}, "repetition_penalty must be above 0"),
        ({"no_repeat_ngram": -1}, "no_repeat_ngram must be at least 0"),
        ({"suppressed": ((5,), ())}, "suppressed must not contain an empty sequence"),
        ({"prefix": (5, 5, 5, 5, 5)}, r"prefix must be shorter than max_tokens \(5\), but has 5"),
        ({"prefix_bias": 1.5}, "prefix_bias must be between 0 and 1"),
        ({"forced": ((5, 7),)}, "forced must have places from 0 to max_tokens"),
        ({"forced": ((1, 7), (1, 8))}, "forced must name every place once"),
        ({"required": ((6, 7), (7,))}, "required must name every token once"),
        ({"required": ((6,), ())}, "no empty chain"),
        ({"required": ((5, 6, 7, 8, 9),)}, r"fewer tokens than max_tokens \(5\), but has 5"),
        ({"loop_tokens": 7}, "loop_tokens must be 0 or at least 8"),
    ],
)
def test_a_search_out_of_range_is_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        Search(**{"max_tokens": 5} | fields)


def test_all_faults_are_named_together():
    with pytest.raises(ValueError, match="max_tokens") as caught:
        Search(max_tokens=0, beam_size=0, patience=0.0, sampling=Sampling(seed=0, top_p=2.0))
    for name in ("max_tokens", "beam_size", "patience", "sampling.top_p"):
        assert name in str(caught.value)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"beam_size": 4, "patience": 2.0, "early_stopping": True, "loop_tokens": 32},
        {"length_penalty_kind": LengthPenalty.GNMT, "coverage_penalty": 0.2, "min_tokens": 3},
        {"beam_size": 4, "groups": 2, "diversity": 0.5},
        {"alternatives": 4},
        {"no_repeat_ngram": 3, "suppressed": ((7,), (8, 9))},
        {"sampling": Sampling(seed=0, top_k=64, top_p=0.9, min_p=0.1, temperature=0.7)},
    ],
)
def test_the_best_candidates_are_enough_for(fields):
    search = Search(max_tokens=9, **fields)
    assert (search.tail, search.full_tail_options) == (Tail.FAST, ())


@pytest.mark.parametrize(
    ("fields", "option"),
    [
        ({"sampling": Sampling(seed=0)}, "sampling"),
        ({"sampling": Sampling(seed=0, top_k=65)}, "sampling"),
        ({"sampling": Sampling(seed=0, top_p=0.9)}, "sampling"),
        ({"sampling": Sampling(seed=0, min_p=0.1)}, "sampling"),
        ({"repetition_penalty": 1.1}, "repetition_penalty"),
        ({"prefix": (7,)}, "prefix"),
        ({"prefix": (7,), "prefix_bias": 0.5}, "prefix"),
        ({"forced": ((0, 7),)}, "forced"),
        ({"required": ((7, 8), (9,))}, "required"),
        ({"suppressed": tuple((i,) for i in range(4, 69))}, "suppressed"),
    ],
)
def test_the_whole_distribution_is_needed_for(fields, option):
    search = Search(max_tokens=9, **fields)
    assert (search.tail, search.full_tail_options) == (Tail.FULL, (option,))


def test_a_shortlist_gives_way_where_the_whole_distribution_is_needed():
    assert Search(max_tokens=9, beam_size=2, shortlist=True).tail is Tail.SHORTLIST
    assert Search(max_tokens=9, prefix=(7,), shortlist=True).tail is Tail.FULL


def test_the_length_penalty_of_gnmt_is_that_of_its_equation():
    search = Search(max_tokens=99, length_penalty=0.6, length_penalty_kind=LengthPenalty.GNMT)
    for length in (1, 7, 90):
        expected = -3.0 / (math.pow(5 + length, 0.6) / math.pow(5 + 1, 0.6))
        assert search.score(-3.0, length) == pytest.approx(expected, rel=1e-14)


def test_rows_are_those_of_the_beam_or_the_samples_or_the_alternatives():
    assert Search(max_tokens=9, beam_size=4).rows == 4
    assert Search(max_tokens=9, alternatives=3).rows == 3
    assert Search(max_tokens=9, num_hypotheses=5, sampling=Sampling(seed=0)).rows == 5
