"""Open loop: requests come when they come, whether or not those before them are answered.

A generator that waits for answers sends less to a slow server, and so never sees it overloaded.
Here a latency counts from the moment at which a request was due, also where it was sent late.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Awaitable, Callable, Sequence

Call = Callable[[str], Awaitable[object]]


def poisson_arrivals(rate: float, seconds: float, seed: int) -> list[float]:
    """Return when requests are due: as many as the rate says on average, independently.

    Args:
        rate: Requests a second.
        seconds: How long they come.
        seed: Of the generator.

    Returns:
        Seconds from the start, rising; at least one.
    """
    rng = random.Random(seed)
    due = [rng.expovariate(rate)]
    while due[-1] < seconds:
        due.append(due[-1] + rng.expovariate(rate))
    return due[:-1] or due


def percentile(values: Sequence[float], share: float) -> float:
    """Return the least of the values that so large a share of them does not exceed.

    >>> percentile([4.0, 1.0, 3.0, 2.0], 0.5), percentile([4.0, 1.0, 3.0, 2.0], 0.99)
    (2.0, 4.0)
    """
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


async def one_by_one(call: Call, sentences: Sequence[str]) -> list[float]:
    """Return the latency of each request where each is sent when the one before is answered."""
    loop = asyncio.get_running_loop()
    latencies = []
    for sentence in sentences:
        began = loop.time()
        await call(sentence)
        latencies.append(loop.time() - began)
    return latencies


async def keeps(
    call: Call, sentences: Sequence[str], due: Sequence[float], *, bound: float, share: float
) -> bool:
    """Tell whether so large a share of the requests is answered within a bound.

    It ends as soon as too many are late, and drops what is on its way.

    Args:
        call: Sends a sentence and waits for the answer.
        sentences: Sent in turn, again from the first when they are used up.
        due: When requests are due, in seconds from now, rising.
        bound: Seconds from when it was due that a request may take.
        share: Of the requests, from 0 to 1.

    Raises:
        Exception: A call failed in a way of its own.
    """
    allowed = len(due) - math.ceil(share * len(due))
    loop = asyncio.get_running_loop()
    start = loop.time()
    late = 0

    async def one(number: int, moment: float) -> None:
        nonlocal late
        try:
            async with asyncio.timeout_at(start + moment + bound):
                await asyncio.sleep(start + moment - loop.time())
                await call(sentences[number % len(sentences)])
                # A loop that was busy finds answer and timeout at once, and takes the answer.
                if loop.time() > start + moment + bound:
                    raise TimeoutError
        except TimeoutError:
            late += 1
            if late > allowed:
                raise TooManyLateError from None

    try:
        async with asyncio.TaskGroup() as tasks:
            for number, moment in enumerate(due):
                tasks.create_task(one(number, moment))
    except* TooManyLateError:
        pass
    return late <= allowed


class TooManyLateError(Exception):
    """The share can no longer be kept."""


def highest(sustains: Callable[[float], bool], start: float, *, bisections: int) -> float:
    """Return the highest rate that is sustained, as far as some bisections tell.

    From a first guess the rate is doubled or halved until one is sustained and one is not, and the
    ratio of these two is then halved again and again.

    Args:
        sustains: Whether a rate is; called once for each.
        start: The first guess.
        bisections: How many.
    """
    low = high = start
    if sustains(start):
        while sustains(high := 2 * low):
            low = high
    else:
        while not sustains(low := high / 2):
            high = low
    for _ in range(bisections):
        middle = math.sqrt(low * high)
        if sustains(middle):
            low = middle
        else:
            high = middle
    return low
