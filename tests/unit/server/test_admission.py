"""Who may come in."""

from __future__ import annotations

import asyncio
import time

import pytest

from ferryman_server.admission import Admission
from ferryman_server.errors import QueueFullError, QuotaExceededError, ServerDrainingError


async def test_so_many_and_no_more_come_in():
    admission = Admission(2)
    admission.enter()
    admission.enter()
    with pytest.raises(QueueFullError):
        admission.enter()
    assert admission.under_way == 2
    admission.leave(1.0)
    admission.enter()
    assert admission.under_way == 2


async def test_the_wait_is_that_of_the_calls_so_far():
    admission = Admission(1)
    for _ in range(200):
        admission.enter()
        admission.leave(3.0)
    admission.enter()
    with pytest.raises(QueueFullError) as caught:
        admission.enter()
    assert caught.value.retry_after == pytest.approx(3.0, rel=0.01)


async def test_after_closing_nobody_comes_in():
    admission = Admission(1)
    admission.close()
    with pytest.raises(ServerDrainingError):
        admission.enter()
    assert admission.under_way == 0


async def test_waiting_ends_when_the_last_call_leaves():
    admission = Admission(2)
    admission.enter()
    admission.enter()
    admission.close()
    waiting = asyncio.ensure_future(admission.wait_until_empty(30))
    admission.leave(0.1)
    await asyncio.sleep(0)
    assert not waiting.done()
    admission.leave(0.1)
    assert await waiting


async def test_waiting_ends_at_its_limit():
    admission = Admission(1)
    admission.enter()
    assert not await admission.wait_until_empty(0.01)


async def test_an_empty_server_need_not_wait():
    assert await Admission(1).wait_until_empty(0.01)


async def test_it_is_quiet_when_nobody_has_come_for_a_while():
    admission = Admission(1)
    started = time.monotonic()
    await admission.wait_until_quiet(30, timeout=60)
    assert time.monotonic() - started < 10, "nobody ever came"
    admission.close()
    with pytest.raises(ServerDrainingError):
        admission.enter()
    came = time.monotonic()
    await admission.wait_until_quiet(0.1, timeout=60)
    assert time.monotonic() - came >= 0.1


async def test_quiet_is_not_waited_for_for_ever():
    admission = Admission(1)
    admission.enter()
    started = time.monotonic()
    await admission.wait_until_quiet(60, timeout=0.05)
    assert 0.05 <= time.monotonic() - started < 30


def test_one_client_leaves_room_for_calls_of_others():
    admission = Admission(90)

    def flood() -> None:
        while True:
            admission.enter("flood")

    with pytest.raises(QuotaExceededError) as caught:
        flood()
    entered = admission.under_way
    assert 75 <= entered <= 82
    assert caught.value.subject == "client:flood"
    admission.enter("polite")
    for _ in range(entered):
        admission.leave(0.1, "flood")
    admission.enter("flood")
    assert admission.under_way == 2
