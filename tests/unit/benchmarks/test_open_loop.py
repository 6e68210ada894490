"""Arrivals, percentiles, and the search for the highest rate that is sustained."""

from __future__ import annotations

import asyncio
import itertools
import time

import pytest
from benchmarks.open_loop import highest, keeps, one_by_one, percentile, poisson_arrivals


def test_arrivals_come_at_the_rate_that_is_asked_for_and_never_twice_alike(seed):
    due = poisson_arrivals(50, 200, seed)
    assert due == sorted(due)
    assert due[0] > 0
    assert due[-1] < 200
    assert len(due) == pytest.approx(50 * 200, rel=0.05)
    gaps = [later - earlier for earlier, later in itertools.pairwise(due)]
    mean = sum(gaps) / len(gaps)
    # Of a Poisson process the deviation of the gaps is their mean.
    deviation = (sum((gap - mean) ** 2 for gap in gaps) / len(gaps)) ** 0.5
    assert deviation == pytest.approx(mean, rel=0.1)
    assert due == poisson_arrivals(50, 200, seed) != poisson_arrivals(50, 200, seed + 1)


def test_something_is_due_however_short_the_time(seed):
    assert len(poisson_arrivals(0.001, 0.001, seed)) == 1


def test_a_percentile_is_one_of_the_values():
    values = [float(i) for i in range(100, 0, -1)]
    assert percentile(values, 0.99) == 99.0
    assert percentile(values, 1.0) == 100.0
    assert percentile([7.0], 0.99) == 7.0


async def server(delay: float, places: int):
    """A call that takes so long, of which so many can be under way."""
    free = asyncio.Semaphore(places)

    async def call(sentence: str) -> object:
        async with free:
            await asyncio.sleep(delay)
        return sentence

    return call


async def test_latencies_are_of_each_request():
    latencies = await one_by_one(await server(0.02, 1), ["a", "b", "c"])
    assert len(latencies) == 3
    assert all(0.02 <= latency < 5 for latency in latencies)


async def test_a_queue_that_grows_does_not_keep_the_bound():
    due = [0.001 * i for i in range(200)]
    assert await keeps(await server(0.001, 1000), ["a"], due, bound=30, share=1.0)
    # One at a time, 50 a second: the last of 200 is due after 0.2 s and answered after 4.
    assert not await keeps(await server(0.02, 1), ["a"], due, bound=0.5, share=0.99)


async def test_few_may_be_late():
    calls = 0

    async def call(_: str) -> object:
        nonlocal calls
        calls += 1
        return await asyncio.sleep(60 if calls == 1 else 0)

    due = [0.0] * 100
    assert await keeps(call, ["a"], due, bound=2, share=0.99)
    calls = 0
    assert not await keeps(call, ["a"], due, bound=2, share=1.0)


async def test_a_latency_counts_from_when_a_request_was_due():
    async def call(_: str) -> object:
        # The loop is blocked, so whoever is due meanwhile is sent late.
        time.sleep(0.05)
        return None

    assert not await keeps(call, ["a"], [0.0] * 10, bound=0.2, share=1.0)


async def test_a_call_that_fails_is_no_measurement():
    async def call(_: str) -> object:
        raise ConnectionError("gone")

    with pytest.raises(ExceptionGroup) as found:
        await keeps(call, ["a"], [0.0], bound=1, share=0.99)
    assert found.value.subgroup(ConnectionError) is not None


@pytest.mark.parametrize("start", [1.0, 37.0, 41.0, 1000.0])
def test_the_highest_rate_is_found_from_either_side(start):
    tried: list[float] = []

    def sustains(rate: float) -> bool:
        tried.append(rate)
        return rate <= 40

    found = highest(sustains, start, bisections=6)
    assert found <= 40
    assert found == pytest.approx(40, rel=0.02)
    assert len(tried) == len(set(tried))
