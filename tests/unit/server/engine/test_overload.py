"""The engine with more to do than it can: what is admitted is answered, the same as ever."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from toy_model import ToyRuntime

from ferryman_server.engine import (
    DeadlineError,
    Engine,
    EngineFailedError,
    Job,
    OverloadedError,
    Priority,
    Search,
)
from ferryman_server.engine.batch import Batch

CLIENTS = ("a", "b", "c")


def jobs(count: int, seed: int) -> list[Job]:
    rng = random.Random(seed)
    return [
        Job(
            source=tuple(rng.randrange(4, 16) for _ in range(rng.randrange(1, 12))),
            search=Search(beam_size=rng.choice([1, 1, 1, 2, 4]), max_tokens=12),
            priority=rng.choice(list(Priority)),
            client=rng.choice(CLIENTS),
        )
        for _ in range(count)
    ]


def check_books(engine: Engine) -> None:
    read = engine.statistics()
    ended = read.completed + read.failed + read.cancelled + read.expired
    assert read.admitted == ended + read.queued + read.running


@given(order=st.permutations(range(24)), rows=st.integers(4, 9), workers=st.integers(1, 2))
def test_answers_do_not_depend_on_the_order_of_arrival_nor_on_who_asks(order, rows, workers):
    asked = jobs(24, seed=5)
    with Engine(ToyRuntime(), max_rows=16) as engine:
        alone = [engine.submit([job])[0].result(30).hypotheses for job in asked]
    with Engine(ToyRuntime(), max_rows=rows, workers=workers, ageing_seconds=0.001) as engine:
        futures = {number: engine.submit([asked[number]])[0] for number in order}
        assert [futures[number].result(30).hypotheses for number in range(24)] == alone
        check_books(engine)


def test_what_happens_to_a_flood_is_all_in_the_books(seed):
    """Cancelled, expired, refused and completed jobs, from three clients at once."""
    rng = random.Random(seed)
    runtime = ToyRuntime()
    futures = []
    with Engine(runtime, max_rows=8, max_queued_tokens=1024) as engine:
        for number, job in enumerate(jobs(600, seed)):
            deadline = time.monotonic() + rng.choice([0.0005, 0.01, 30.0, 30.0])
            try:
                futures += engine.submit(
                    [
                        Job(
                            source=job.source,
                            search=job.search,
                            client=job.client,
                            priority=job.priority,
                            deadline=deadline,
                        )
                    ]
                )
            except (OverloadedError, DeadlineError):
                time.sleep(0.001)
            if futures and number % 7 == 0:
                rng.choice(futures).cancel()
        assert engine.drain(60)
        read = engine.statistics()
        check_books(engine)
    assert read.queued == read.running == 0
    assert read.admitted == len(futures)
    assert read.admitted + read.rejected == 600
    assert read.cancelled == sum(future.cancelled() for future in futures)
    errors = [future.exception() for future in futures if not future.cancelled()]
    assert read.expired == sum(isinstance(error, DeadlineError) for error in errors)
    assert read.completed == errors.count(None)
    assert min(read.completed, read.expired, read.cancelled) > 0


def test_an_expired_job_leaves_the_queue_without_a_step():
    runtime = ToyRuntime()
    with Engine(runtime, max_rows=1) as engine:
        runtime.may_step.clear()
        first, *_ = engine.submit([Job(source=(5, 6, 7), search=Search(max_tokens=40))])
        late = Job(source=(9, 9), search=Search(max_tokens=40), deadline=time.monotonic() + 0.05)
        (waiting,) = engine.submit([late])
        time.sleep(0.06)
        runtime.may_step.set()
        with pytest.raises(DeadlineError, match="waited"):
            waiting.result(30)
        first.result(30)
        assert engine.statistics().steps == runtime.steps == first.result().steps


def test_a_running_job_that_expires_gets_at_most_one_more_step():
    runtime = ToyRuntime()
    steps_after = []
    with Engine(runtime, max_rows=1) as engine:
        for delay in (0.01, 0.02, 0.03):
            deadline = time.monotonic() + delay
            job = Job(
                source=(5, 6, 7),
                search=Search(max_tokens=4000, min_tokens=3999),
                deadline=deadline,
                listener=lambda _, deadline=deadline: steps_after.append(
                    time.monotonic() > deadline
                ),
            )
            with pytest.raises(DeadlineError, match="decoded"):
                engine.submit([job])[0].result(30)
            assert sum(steps_after) <= 1
            steps_after.clear()


def test_a_step_that_never_ends_is_a_failed_engine():
    runtime = ToyRuntime()
    failures = []
    with Engine(runtime, max_rows=1, max_step_seconds=0.1) as engine:
        engine.on_failure(failures.append)
        runtime.may_step.clear()
        tickets = engine.submit([Job(source=(5, 6), search=Search(max_tokens=4))] * 3)
        for ticket in tickets:
            with pytest.raises(EngineFailedError, match="has not ended"):
                ticket.result(10)
        assert len(failures) == 1
        check_books(engine)
        assert engine.statistics().failed == 3
    # It wakes, long after: nothing more is delivered, and nothing is raised.
    runtime.may_step.set()
    for worker in engine._workers:
        worker._thread.join(10)
        assert not worker._thread.is_alive()
    assert engine.statistics().failed == 3


def test_a_worker_that_ends_of_a_fault_of_ours_is_a_failed_engine(monkeypatch):
    failures = []
    with Engine(ToyRuntime()) as engine:
        engine.on_failure(failures.append)
        monkeypatch.setattr(
            Batch, "leave", lambda *_: (_ for _ in ()).throw(ValueError("a fault of ours"))
        )
        (ticket,) = engine.submit([Job(source=(5, 6), search=Search(max_tokens=4))])
        with pytest.raises(EngineFailedError, match="a fault of ours"):
            ticket.result(10)
    assert [str(error) for error in failures] == ["a fault of ours"]
    check_books(engine)
