"""Waiting for something better."""

from __future__ import annotations

import math

import pytest

from ferryman_training.patience import Patience, merit


def test_a_higher_score_or_a_lower_loss_is_better():
    scores = {"bleu": 3.0, "chrf": 4.0, "loss": 2.0}
    assert [merit(scores, metric) for metric in ("bleu", "chrf", "loss")] == [3.0, 4.0, -2.0]


@pytest.mark.parametrize(
    ("merits", "exhausted"),
    [
        ([1, 2, 3, 4, 5], False),
        ([1, 0, 0], False),
        ([1, 0, 0, 0], True),
        ([1, 1, 1, 1], True),  # as good is no better
        ([1, 0, 0, 2, 0, 0], False),
        ([math.nan, math.nan, math.nan], True),
        ([math.nan, math.nan, 0.0, 0.0, 0.0], False),
    ],
)
def test_three_without_a_better_one_are_too_many(merits, exhausted):
    patience = Patience(3)
    for value in merits:
        patience.observe(value)
    assert patience.exhausted is exhausted


def test_without_a_limit_it_never_ends():
    patience = Patience(0)
    for _ in range(100):
        patience.observe(0.0)
    assert not patience.exhausted


def test_a_wait_that_was_saved_goes_on():
    first, second = Patience(3), Patience(3)
    for value in (5.0, 1.0, 1.0):
        first.observe(value)
    second.load_state_dict(first.state_dict())
    second.observe(4.0)
    assert second.exhausted
