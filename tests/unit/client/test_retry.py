"""When a failed call is tried again, how long it waits, and when it gives up."""

from __future__ import annotations

import time
from concurrent import futures

import pytest
from google.protobuf import duration_pb2
from google.rpc import error_details_pb2
from hypothesis import given
from hypothesis import strategies as st

import ferryman
from ferryman import ErrorDetails, OverloadedError, Retry, UnavailableError
from ferryman.retry import Attempts, Deadline, RetryBudget


def retry_info(seconds):
    delay = duration_pb2.Duration(seconds=int(seconds), nanos=round(seconds % 1 * 1e9))
    return error_details_pb2.RetryInfo(retry_delay=delay)


def attempts(*, timeout=1000.0, budget=None, jitter=0.0, **retry):
    return Attempts(
        Retry(**retry), budget or RetryBudget(), Deadline.after(timeout), jitter=lambda: jitter
    )


UNASKED = UnavailableError("nobody there")
ANSWERED = UnavailableError("down", ErrorDetails(request_id="a-call"))
ASKED = OverloadedError("full", ErrorDetails(retry_after=2.0))


@pytest.mark.parametrize("code", ["UNAVAILABLE", "RESOURCE_EXHAUSTED"])
def test_a_call_comes_back_when_the_server_said(client, service, code):
    service.fail(code, "busy", retry_info(0.3), times=2)

    assert client.translate("abc").text == "cba"

    first, second, third = service.times
    assert 0.3 <= second - first < 2
    assert 0.3 <= third - second < 2


def test_a_wait_is_logged_for_whoever_wonders(client, service, caplog):
    service.fail("RESOURCE_EXHAUSTED", "busy", retry_info(0.1))

    with caplog.at_level("INFO", logger="ferryman"):
        client.translate("a")

    assert "again in 0.1 s: busy" in caplog.text


def test_a_wait_beyond_the_deadline_is_not_begun(client, service):
    service.fail("RESOURCE_EXHAUSTED", "busy", retry_info(60))

    begun = time.monotonic()
    with pytest.raises(OverloadedError, match="busy") as caught:
        client.translate("a", timeout=5.0)

    assert time.monotonic() - begun < 5
    assert caught.value.retry_after == 60
    assert len(service.requests) == 1


def test_a_server_that_asks_may_ask_often(client, service):
    service.fail("RESOURCE_EXHAUSTED", "busy", retry_info(0.0), times=7)

    assert client.translate("abc").text == "cba"
    assert len(service.requests) == 8


def test_an_absent_server_is_tried_a_few_times(connect, nowhere):
    retry = Retry(max_attempts=3, initial_wait=0.1)
    with connect(nowhere, retry=retry) as client:
        begun = time.monotonic()
        with pytest.raises(UnavailableError) as caught:
            client.translate("a")
        assert str(caught.value) == f"no server answers at {nowhere}: Connection refused"
    assert 0.3 <= time.monotonic() - begun < 5


def test_a_server_that_comes_up_late_is_found(connect, nowhere, serve_at):
    with connect(nowhere) as client, futures.ThreadPoolExecutor() as pool:
        answer = pool.submit(client.translate, "abc")
        time.sleep(0.3)
        assert not answer.done()
        serve_at(nowhere)
        assert answer.result(10).text == "cba"


@pytest.mark.parametrize(
    "code",
    ["INVALID_ARGUMENT", "NOT_FOUND", "FAILED_PRECONDITION", "INTERNAL", "RESOURCE_EXHAUSTED"],
)
def test_what_time_does_not_heal_is_not_repeated(client, service, code):
    service.fail(code)

    with pytest.raises(ferryman.FerrymanError):
        client.translate("a")
    assert len(service.requests) == 1


def test_a_long_list_gets_through_a_server_that_keeps_refusing(client, service):
    service.limits.max_contents = 2
    service.fail("RESOURCE_EXHAUSTED", "busy", retry_info(0.01), times=15)
    texts = [str(number) for number in range(40)]

    assert [each.source for each in client.translate(texts)] == texts


def test_waits_grow_to_a_limit_and_end():
    waiting = attempts(max_attempts=6, initial_wait=1.0, max_wait=5.0)

    assert [waiting.wait_after(UNASKED) for _ in range(6)] == [1.0, 2.0, 4.0, 5.0, 5.0, None]


def test_the_time_that_a_server_asks_for_does_not_grow():
    waiting = attempts(max_attempts=1)

    assert [waiting.wait_after(ASKED) for _ in range(50)] == [2.0] * 50


@given(share=st.floats(0, 1), asked=st.floats(0, 100))
def test_jitter_only_makes_a_wait_longer_and_by_a_fifth_at_most(share, asked):
    error = OverloadedError("full", ErrorDetails(retry_after=asked))
    least = max(asked, 0.1)

    wait = attempts(jitter=share, initial_wait=0.1).wait_after(error)

    assert least <= wait <= least * 1.2 + 1e-9


def test_a_budget_ends_the_retries_of_a_client_whose_calls_all_fail():
    budget = RetryBudget(capacity=10.0)

    waits = [attempts(budget=budget).wait_after(ANSWERED) for _ in range(20)]

    assert sum(wait is not None for wait in waits) == 5


def test_what_no_server_answered_costs_no_budget():
    budget = RetryBudget(capacity=10.0)

    waits = [attempts(budget=budget).wait_after(UNASKED) for _ in range(100)]

    assert None not in waits
    assert attempts(budget=budget).wait_after(ANSWERED) is not None


def test_successes_refill_the_budget():
    budget = RetryBudget(capacity=10.0)
    while budget.take():
        pass
    for _ in range(10):
        budget.succeeded()

    assert budget.take()
    assert not budget.take()


def test_a_server_that_asks_does_not_cost_the_budget():
    budget = RetryBudget(capacity=10.0)
    for _ in range(100):
        assert attempts(budget=budget).wait_after(ASKED) is not None

    assert attempts(budget=budget).wait_after(UNASKED) is not None


@pytest.mark.parametrize(
    "fields", [{"max_attempts": 0}, {"initial_wait": 0.0}, {"initial_wait": 2.0, "max_wait": 1.0}]
)
def test_impossible_policies_are_refused(fields):
    with pytest.raises(ValueError, match=r"attempt|wait"):
        Retry(**fields)
