"""Rounds, ratios and shares."""

from __future__ import annotations

import pytest
from benchmarks.measurement import Spread, identical_share, ratios, turns_of


def test_everybody_has_a_turn_each_round_and_everybody_is_first_once():
    order = []
    turns = turns_of({name: lambda name=name: order.append(name) or name for name in "abc"}, 3)
    assert order == list("abcbcacab")
    assert turns == {name: [name] * 3 for name in "abc"}


def test_a_ratio_is_taken_round_by_round():
    # The second round was disturbed: both took ten times as long.
    assert ratios([2.0, 30.0, 4.0], [1.0, 10.0, 1.0]) == Spread(2.0, 3.0, 4.0)


def test_a_spread_shows_the_least_the_middle_and_the_greatest():
    assert Spread.of([3.0, 1.0, 10.0, 2.0]).render() == "1.00 / 2.50 / 10.00"


def test_only_equal_answers_are_shared():
    assert identical_share([(1, 2), (3,), ()], [(1, 2), (3, 4), ()]) == pytest.approx(2 / 3)
    with pytest.raises(ValueError, match="zip"):
        identical_share([(1,)], [])
