"""Searches that cannot be are refused where they are written down."""

from __future__ import annotations

import dataclasses

import pytest

from ferryman import Beam, Greedy


@pytest.mark.parametrize(
    "options",
    [
        {"size": 0},
        {"size": 4, "num_hypotheses": 5},
        {"size": 4, "num_hypotheses": 0},
        {"min_tokens": -1},
        {"max_tokens": 0},
        {"min_tokens": 9, "max_tokens": 8},
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
