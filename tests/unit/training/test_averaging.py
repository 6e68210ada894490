"""The mean of the last weights, also across a stop and a moved end."""

from __future__ import annotations

import pytest
import torch

from ferryman_training.averaging import WeightAverage
from ferryman_training.run_config import RunConfig


def config(steps: int) -> RunConfig:
    return RunConfig(steps=steps, average_last=3, average_every=10)


def weights(step: int) -> dict[str, torch.Tensor]:
    return {"w": torch.full((2,), float(step))}


def test_it_is_the_mean_of_the_last_points_counted_from_the_end():
    average = WeightAverage(config(45))
    for step in range(1, 46):
        average.observe(step, weights(step))
    assert average.weights()["w"].tolist() == [(25 + 35 + 45) / 3] * 2


def test_it_keeps_its_own_copy_of_the_weights():
    average = WeightAverage(config(45))
    newest = weights(45)
    average.observe(45, newest)
    newest["w"].zero_()
    assert average.weights()["w"].tolist() == [45.0, 45.0]


@pytest.mark.parametrize("stop", [5, 25, 30, 35, 44])
def test_a_stop_changes_nothing(stop):
    first = WeightAverage(config(45))
    for step in range(1, stop + 1):
        first.observe(step, weights(step))
    second = WeightAverage(config(45))
    second.load_state_dict(first.state_dict(), step=stop)
    for step in range(stop + 1, 46):
        second.observe(step, weights(step))
    assert second.weights()["w"].tolist() == [35.0, 35.0]


def test_points_of_an_end_that_was_moved_are_dropped():
    first = WeightAverage(config(45))
    for step in range(1, 46):
        first.observe(step, weights(step))
    second = WeightAverage(config(60))
    second.load_state_dict(first.state_dict(), step=45)
    for step in range(46, 61):
        second.observe(step, weights(step))
    assert second.weights()["w"].tolist() == [55.0, 55.0]


def test_the_first_states_which_named_no_points_are_taken_where_they_fit():
    old = {"sum": weights(35), "count": 1}
    fits, moved = WeightAverage(config(55)), WeightAverage(config(60))
    fits.load_state_dict(old, step=35)
    moved.load_state_dict(old, step=35)
    for average in (fits, moved):
        average.observe(55, weights(55))
        average.observe(60, weights(60))
    assert fits.weights()["w"].tolist() == [45.0, 45.0]
    assert moved.weights()["w"].tolist() == [60.0, 60.0]
