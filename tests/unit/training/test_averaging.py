"""Averages of the weights of a run, also across a stop and a moved end."""

from __future__ import annotations

import pytest
import torch

from ferryman_training.averaging import LastPoints, MovingAverage, weight_average
from ferryman_training.run_config import RunConfig


def config(steps: int) -> RunConfig:
    return RunConfig(steps=steps, average_last=3, average_every=10)


def weights(step: int) -> dict[str, torch.Tensor]:
    return {"w": torch.full((2,), float(step))}


def result(average, step: int) -> list[float]:
    return average.result(step, weights(step))["w"].tolist()


def test_it_is_the_mean_of_the_last_points_counted_from_the_end():
    average = LastPoints(config(45))
    for step in range(1, 46):
        average.observe(step, weights(step))
        assert step == 45 or result(average, step) == [step, step]
    assert result(average, 45) == [(25 + 35 + 45) / 3] * 2


def test_without_a_point_the_result_is_the_newest_weights():
    assert result(LastPoints(config(45)), 45) == [45.0, 45.0]


@pytest.mark.parametrize("average", [LastPoints(config(45)), MovingAverage(0.9)])
def test_it_keeps_its_own_copy_of_the_weights(average):
    newest = weights(45)
    average.observe(45, newest)
    newest["w"].zero_()
    assert result(average, 45) == [45.0, 45.0]


@pytest.mark.parametrize("stop", [5, 25, 30, 35, 44])
def test_a_stop_changes_nothing(stop):
    first = LastPoints(config(45))
    for step in range(1, stop + 1):
        first.observe(step, weights(step))
    second = LastPoints(config(45))
    second.load_state_dict(first.state_dict(), step=stop)
    for step in range(stop + 1, 46):
        second.observe(step, weights(step))
    assert result(second, 45) == [35.0, 35.0]


def test_points_of_an_end_that_was_moved_are_dropped():
    first = LastPoints(config(45))
    for step in range(1, 46):
        first.observe(step, weights(step))
    second = LastPoints(config(60))
    second.load_state_dict(first.state_dict(), step=45)
    for step in range(46, 61):
        second.observe(step, weights(step))
    assert result(second, 60) == [55.0, 55.0]


def test_the_first_states_which_named_no_points_are_taken_where_they_fit():
    old = {"sum": weights(35), "count": 1}
    fits, moved = LastPoints(config(55)), LastPoints(config(60))
    fits.load_state_dict(old, step=35)
    moved.load_state_dict(old, step=35)
    for average in (fits, moved):
        average.observe(55, weights(55))
        average.observe(60, weights(60))
    assert result(fits, 55) == [45.0, 45.0]
    assert result(moved, 60) == [60.0, 60.0]


def test_a_moving_average_is_the_sum_that_its_decay_says():
    decay, course = 0.5, [3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0, 5.0, 3.0, 5.0, 8.0]
    average = MovingAverage(decay)
    expected = course[0]
    for n, value in enumerate(course, 1):
        average.observe(n, {"w": torch.tensor([value])})
        share = min(decay, (1 + n) / (10 + n))
        expected = share * expected + (1 - share) * value
    assert (1 + 1) / (10 + 1) < decay < (1 + n) / (10 + n)  # both phases were met
    found = average.result(99, {"w": torch.zeros(1)})["w"]
    assert float(found) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("stop", [0, 1, 7])
def test_a_moving_average_that_was_saved_goes_on_bit_for_bit(stop):
    whole, first, second = (MovingAverage(0.99) for _ in range(3))
    for step in range(12):
        whole.observe(step, weights(step**2))
        if step < stop:
            first.observe(step, weights(step**2))
    second.load_state_dict(first.state_dict(), step=stop)
    for step in range(stop, 12):
        second.observe(step, weights(step**2))
    assert result(second, 12) == result(whole, 12)


def test_a_run_that_now_averages_otherwise_begins_its_average_anew():
    moving = weight_average(RunConfig(average_decay=0.9))
    points = weight_average(config(45))
    for average in (moving, points):
        average.observe(45, weights(45))
    fresh_points, fresh_moving = LastPoints(config(45)), MovingAverage(0.9)
    fresh_points.load_state_dict(moving.state_dict(), step=45)
    fresh_moving.load_state_dict(points.state_dict(), step=45)
    assert result(fresh_points, 7) == result(fresh_moving, 7) == [7.0, 7.0]
