"""Searches that cannot be are refused where they are written down."""

from __future__ import annotations

import dataclasses

import pytest

from ferryman import Beam, Greedy, Sampling


@pytest.mark.parametrize(
    "options",
    [
        {"size": 0},
        {"size": 4, "num_hypotheses": 5},
        {"size": 4, "num_hypotheses": 0},
        {"min_tokens": -1},
        {"max_tokens": 0},
        {"min_tokens": 9, "max_tokens": 8},
        {"size": 4, "groups": 3},
        {"patience": 0.5},
        {"length_penalty": float("nan")},
        {"coverage_penalty": -1.0},
        {"diversity_penalty": 101.0},
        {"repetition_penalty": 0.0},
        {"no_repeat_ngram_size": -1},
        {"loop_guard_tokens": 7},
        {"max_length_ratio": -1.0},
        {"min_length_ratio": 101.0},
    ],
)
def test_impossible_beams_are_refused(options):
    with pytest.raises(ValueError, match=r"\d"):
        Beam(**options)


def test_impossible_greedy_searches_are_refused():
    with pytest.raises(ValueError, match="min_tokens 2 is more than max_tokens 1"):
        Greedy(max_tokens=1, min_tokens=2)


def test_a_beam_is_written_with_its_size_first():
    assert Beam(6) == Beam(size=6)
    with pytest.raises(dataclasses.FrozenInstanceError):
        Beam(6).size = 7


@pytest.mark.parametrize(
    "options",
    [
        {"num_hypotheses": 0},
        {"seed": -1},
        {"seed": 1 << 64},
        {"temperature": 0.0},
        {"top_k": -1},
        {"top_p": 0.0},
        {"min_p": 1.5},
    ],
)
def test_impossible_samplings_are_refused(options):
    with pytest.raises(ValueError, match=r"\d"):
        Sampling(**options)


@pytest.mark.parametrize("suppress", ["a text that is no list", ["word", " "]])
def test_what_is_suppressed_is_a_list_of_texts(suppress):
    with pytest.raises(ValueError, match="suppress is a list of texts that are not blank"):
        Greedy(suppress=suppress)


def test_all_faults_are_named_together():
    with pytest.raises(ValueError, match=r"max_tokens is at least 1, not 0; .*; a beam keeps"):
        Beam(0, max_tokens=0, patience=0.0, repetition_penalty=0.0)
