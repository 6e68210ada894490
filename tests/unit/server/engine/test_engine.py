"""The engine over a toy model: answers, company, conservation, and everything that goes wrong."""

from __future__ import annotations

import concurrent.futures
import random
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from toy_model import ARCHITECTURES, ToyRuntime

from ferryman_server.engine import (
    DeadlineError,
    Engine,
    EngineFailedError,
    EngineStoppedError,
    FinishReason,
    Job,
    OverloadedError,
    Phase,
    Sampling,
    Search,
    UnavailableError,
)

PATIENCE = 30
"""Seconds after which something that should happen at once does not happen at all."""

searches = st.builds(
    Search,
    beam_size=st.sampled_from([1, 1, 2, 3, 4]),
    min_tokens=st.integers(0, 2),
    max_tokens=st.integers(3, 20),
    length_penalty=st.sampled_from([0.0, 1.0]),
)
jobs_of_all_kinds = st.lists(
    st.builds(
        Job,
        source=st.lists(st.integers(4, 15), min_size=1, max_size=70).map(tuple),
        search=searches,
    ),
    min_size=1,
    max_size=25,
)


def job(*source: int, **search) -> Job:
    return Job(source=source or (5, 6), search=Search(**({"max_tokens": 10} | search)))


def long_job(*source: int) -> Job:
    """A job of 8,000 steps: it is under way for as long as a test looks at it."""
    return job(*source, max_tokens=8000, min_tokens=7999)


def hypotheses(engine: Engine, jobs: list[Job]) -> list:
    return [future.result(PATIENCE).hypotheses for future in engine.submit(jobs)]


def wait_until(condition) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)


def conserved(engine: Engine) -> bool:
    s = engine.statistics()
    ended = s.completed + s.failed + s.cancelled + s.expired
    return s.admitted == ended + s.queued + s.running


@pytest.fixture
def runtime():
    return ToyRuntime()


@pytest.fixture
def engine(runtime):
    with Engine(runtime, max_rows=8) as running:
        yield running
        # However the test ends, nobody is left waiting for the toy.
        runtime.may_step.set()


@given(
    architecture=st.sampled_from(sorted(ARCHITECTURES)),
    jobs=jobs_of_all_kinds,
    seed=st.integers(0, 1000),
    workers=st.integers(1, 2),
)
def test_an_answer_does_not_depend_on_company_or_arrival(architecture, jobs, seed, workers):
    runtime = ToyRuntime(architecture=architecture)
    with Engine(runtime, max_rows=8) as engine:
        alone = [hypotheses(engine, [one])[0] for one in jobs]
    shuffled = random.Random(seed)
    order = shuffled.sample(range(len(jobs)), len(jobs))
    with Engine(runtime, max_rows=8, workers=workers) as engine:
        futures = {}
        while order:
            together = [order.pop() for _ in range(min(len(order), shuffled.randint(1, 6)))]
            futures.update(zip(together, engine.submit([jobs[i] for i in together]), strict=True))
            time.sleep(shuffled.choice([0, 0, 0.002]))
        assert [futures[i].result(PATIENCE).hypotheses for i in range(len(jobs))] == alone
        assert conserved(engine)


def test_answers_are_in_the_order_of_the_jobs_and_say_how_they_ended(engine):
    short, cut = job(5, max_tokens=300), job(5, max_tokens=2, min_tokens=1)
    first, second = engine.submit([short, cut])
    (best,) = first.result(PATIENCE).hypotheses
    assert best.finish_reason is FinishReason.EOS
    assert len(best.token_log_probs) == len(best.ids) + 1
    assert best.log_prob == pytest.approx(sum(best.token_log_probs))
    assert best.score == best.log_prob / len(best.token_log_probs)
    (best,) = second.result(PATIENCE).hypotheses
    assert (len(best.ids), best.finish_reason) == (2, FinishReason.MAX_TOKENS)
    assert second.result().steps == 2


def test_n_best_hypotheses_come_best_first(engine):
    (answer,) = hypotheses(engine, [job(5, 6, 7, beam_size=4, num_hypotheses=3)])
    scores = [hypothesis.score for hypothesis in answer]
    assert len({hypothesis.ids for hypothesis in answer}) == 3
    assert scores == sorted(scores, reverse=True)


def test_the_batch_is_full_while_sentences_wait(runtime):
    draw = random.Random(3)
    jobs = [
        job(*draw.choices(range(4, 16), k=draw.randint(1, 40)), max_tokens=40) for _ in range(400)
    ]
    with Engine(runtime, max_rows=32) as engine:
        hypotheses(engine, jobs)
        statistics = engine.statistics()
    assert statistics.occupancy_waiting > 0.85
    assert statistics.ragged_admissions > 300
    assert statistics.steps == statistics.rounds == runtime.steps


def test_a_sentence_joins_the_running_batch_and_overtakes_a_long_one(runtime, engine):
    (long,) = engine.submit([long_job(5)])
    wait_until(lambda: runtime.steps > 3)
    (short,) = engine.submit([job(6, max_tokens=2)])
    assert short.result(PATIENCE).steps <= 2
    assert not long.done()
    assert engine.statistics().ragged_admissions == 1


def test_lanes_of_all_widths_advance_in_turns(runtime, engine):
    wide, narrow = job(5, beam_size=4, max_tokens=30, min_tokens=29), long_job(5)
    slow, quick = engine.submit([narrow, wide])
    assert quick.result(PATIENCE).steps == 30
    assert not slow.done()
    slow.cancel()


def test_a_cancelled_job_leaves_the_queue_at_once(runtime, engine):
    runtime.may_step.clear()
    engine.submit([long_job(5) for _ in range(8)])
    wait_until(lambda: engine.statistics().running == 8)
    (waiting,) = engine.submit([job(7, 7, 7)])
    assert engine.statistics().queued == 1
    assert waiting.cancel()
    statistics = engine.statistics()
    assert (statistics.queued, statistics.queued_tokens, statistics.cancelled) == (0, 0, 1)
    assert conserved(engine)


def test_a_cancelled_job_leaves_the_running_batch_within_one_step(runtime, engine):
    running, other = engine.submit([long_job(5), long_job(6)])
    wait_until(lambda: runtime.steps > 3)
    runtime.may_step.clear()
    steps = runtime.steps
    assert running.cancel()
    assert running.cancelled()
    runtime.may_step.set()
    wait_until(lambda: engine.statistics().running == 1)
    assert runtime.steps >= steps
    rows = engine.statistics().rows
    wait_until(lambda: runtime.steps > steps + 5)
    now = engine.statistics()
    assert now.rows - rows <= now.steps
    assert conserved(engine)
    other.cancel()


def test_waiting_for_a_cancelled_job_ends(engine):
    (future,) = engine.submit([long_job(5)])
    wait_until(lambda: engine.statistics().running == 1)
    future.cancel()
    done, pending = concurrent.futures.wait([future], PATIENCE)
    assert (len(done), len(pending)) == (1, 0)


def test_a_job_that_expires_in_the_queue_never_takes_a_step(runtime, engine):
    runtime.may_step.clear()
    engine.submit([long_job(5) for _ in range(8)])
    wait_until(lambda: engine.statistics().running == 8)
    doomed = Job(source=(9, 9), search=Search(max_tokens=5), deadline=time.monotonic() + 0.02)
    (future,) = engine.submit([doomed])
    time.sleep(0.03)
    runtime.may_step.set()
    with pytest.raises(DeadlineError, match="waited") as caught:
        future.result(PATIENCE)
    assert caught.value.phase is Phase.QUEUED
    assert (9, 9) not in runtime.encoded
    assert engine.statistics().expired == 1
    assert conserved(engine)


def test_a_running_job_that_expires_leaves_before_its_next_step(runtime, engine):
    doomed = Job(
        source=(9, 9),
        search=Search(max_tokens=400, min_tokens=399),
        deadline=time.monotonic() + 0.2,
    )
    (future,) = engine.submit([doomed])
    wait_until(lambda: runtime.steps > 2)
    runtime.may_step.clear()
    time.sleep(0.25)
    steps = runtime.steps
    runtime.may_step.set()
    with pytest.raises(DeadlineError, match="was decoded") as caught:
        future.result(PATIENCE)
    assert caught.value.phase is Phase.DECODING
    # At most the step that was under way when the deadline passed.
    assert runtime.steps <= steps + 1


def test_a_full_queue_says_so_at_once_and_takes_nothing(runtime):
    with Engine(runtime, max_rows=1, max_queued_tokens=10) as engine:
        runtime.may_step.clear()
        engine.submit([long_job(5)])
        wait_until(lambda: engine.statistics().running == 1)
        engine.submit([job(5, 5, 5, 5)])
        with pytest.raises(OverloadedError) as caught:
            engine.submit([job(5), job(5, 5, 5, 5, 5)])
        assert caught.value.retry_after > 0
        statistics = engine.statistics()
        assert (statistics.rejected, statistics.admitted, statistics.queued) == (2, 2, 1)
        runtime.may_step.set()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (Job(source=(), search=Search(max_tokens=3)), "1 to 200 tokens, but has 0"),
        (job(*[5] * 201), "1 to 200 tokens, but has 201"),
        (job(5, 16), "source ids must be 0 to 15"),
        (job(-1), "source ids must be 0 to 15"),
        (job(5, max_tokens=8002), "max_tokens must be at most 8001"),
        (job(5, beam_size=9), "beam_size, samples and alternatives must be at most 8, but are 9"),
        (job(5, alternatives=9), "must be at most 8, but are 9"),
        (job(5, prefix=(5, 16)), "prefix and forced ids must be 0 to 15"),
        (job(5, forced=((2, 3),)), "not the end of the sentence, 3"),
    ],
)
def test_a_job_that_would_harm_its_batch_is_refused_with_all_others(engine, wrong, message):
    with pytest.raises(ValueError, match=message):
        engine.submit([job(5), wrong])
    assert engine.statistics().admitted == 0


@pytest.mark.parametrize(
    ("search", "options", "graph"),
    [
        (
            {"prefix": (5,), "repetition_penalty": 1.2},
            ("repetition_penalty", "prefix"),
            "step_full",
        ),
        ({"sampling": Sampling(seed=1)}, ("sampling",), "step_full"),
        ({"coverage_penalty": 0.2, "beam_size": 2}, ("coverage_penalty",), "scorer"),
        ({"shortlist": True}, ("shortlist",), "step_shortlist"),
    ],
)
def test_a_model_without_the_graph_for_it_refuses_a_search(runtime, search, options, graph):
    runtime.has_full_tail = runtime.has_attention = runtime.has_shortlist = False
    with Engine(runtime) as engine:
        with pytest.raises(UnavailableError, match=graph) as caught:
            engine.submit([job(5), job(5, **search)])
        assert caught.value.options == options
        assert engine.statistics().admitted == 0


def test_whoever_waits_for_the_end_of_the_engine_hears_of_it_at_once(runtime):
    heard: list[BaseException] = []
    told = threading.Event()
    runtime.failing_steps = {1, 2}

    def deaf(error):
        raise ValueError("a callback that breaks")

    def hear(error):
        heard.append(error)
        told.set()

    with Engine(runtime) as engine:
        engine.on_failure(deaf)
        engine.on_failure(hear)
        for number in range(2):
            (future,) = engine.submit([job(5, number + 6)])
            assert isinstance(future.exception(PATIENCE), EngineFailedError)
        assert told.wait(PATIENCE)
        engine.on_failure(hear)
        assert heard == [engine.failed, engine.failed]


def test_closing_is_no_failure(runtime):
    heard: list[BaseException] = []
    with Engine(runtime) as engine:
        engine.on_failure(heard.append)
    assert heard == []


def test_a_failing_step_fails_its_batch_only(runtime, engine):
    runtime.failing_steps = {3}
    lost = engine.submit([long_job(5), long_job(6)])
    for future in lost:
        with pytest.raises(EngineFailedError, match="a step that breaks") as caught:
            future.result(PATIENCE)
        assert isinstance(caught.value.__cause__, RuntimeError)
    assert engine.failed is None
    expected = hypotheses(engine, [job(7)])
    with Engine(ToyRuntime()) as other:
        assert hypotheses(other, [job(7)]) == expected
    assert engine.statistics().failed == 2
    assert conserved(engine)


def test_failures_that_are_not_in_a_row_do_not_kill_the_engine(runtime, engine):
    runtime.failing_steps = {1, 3, 5}
    for _ in range(3):
        (lost,) = engine.submit([long_job(5)])
        assert isinstance(lost.exception(PATIENCE), EngineFailedError)
        wait_until(lambda: engine.statistics().running == 0)
        hypotheses(engine, [job(7, max_tokens=1)])
    assert engine.failed is None


def test_a_source_that_breaks_the_encoder_fails_and_the_next_is_decoded(runtime, engine):
    runtime.failing_sources = {(13, 13)}
    (lost,) = engine.submit([job(13, 13)])
    with pytest.raises(EngineFailedError, match="breaks the encoder"):
        lost.result(PATIENCE)
    assert hypotheses(engine, [job(7)])


@pytest.mark.parametrize("workers", [1, 2])
def test_a_second_failure_in_a_row_is_the_end(runtime, workers):
    runtime.failing_steps = set(range(1, 1000))
    with Engine(runtime, max_rows=2, workers=workers) as engine:
        futures = engine.submit([job(5 + i) for i in range(10)])
        for future in futures:
            assert isinstance(future.exception(PATIENCE), EngineFailedError)
        assert isinstance(engine.failed, RuntimeError)
        with pytest.raises(EngineFailedError, match="the engine has failed: a step that breaks"):
            engine.submit([job(5)])
        assert engine.drain(PATIENCE)
        assert conserved(engine)


def test_draining_ends_what_was_admitted_and_takes_no_more(runtime, engine):
    futures = engine.submit([long_job(5), *(job(6) for _ in range(20))])
    assert engine.drain(PATIENCE)
    assert all(future.done() for future in futures)
    with pytest.raises(EngineStoppedError):
        engine.submit([job(5)])
    assert engine.statistics().completed == 21


def test_a_drain_that_takes_too_long_says_so(runtime, engine):
    runtime.may_step.clear()
    engine.submit([long_job(5)])
    assert not engine.drain(0.02)


def test_closing_ends_running_and_waiting_jobs(runtime):
    before = set(threading.enumerate())
    engine = Engine(runtime, max_rows=1)
    engine.start()
    futures = engine.submit([long_job(5), job(6)])
    wait_until(lambda: engine.statistics().running == 1)
    engine.close()
    engine.close()
    for future in futures:
        with pytest.raises(EngineStoppedError):
            future.result(0)
    with pytest.raises(EngineStoppedError):
        engine.submit([job(5)])
    assert conserved(engine)
    assert set(threading.enumerate()) <= before


def test_an_engine_that_was_not_started_takes_no_jobs(runtime):
    engine = Engine(runtime)
    with pytest.raises(EngineStoppedError):
        engine.submit([job(5)])
    engine.close()


@given(
    fates=st.lists(
        st.sampled_from(["finish", "cancel", "expire", "break"]), min_size=1, max_size=30
    ),
    workers=st.integers(1, 2),
)
def test_every_job_ends_once(fates, workers):
    """Whatever befalls jobs, each is counted as one thing, and no future is left pending."""
    runtime = ToyRuntime()
    runtime.failing_sources = {(13, 13, 13)}
    with Engine(runtime, max_rows=4, workers=workers) as engine:
        futures = []
        for fate in fates:
            soon = time.monotonic() + 0.001 if fate == "expire" else None
            source = (13, 13, 13) if fate == "break" else (5, 6, 7)
            search = Search(max_tokens=12, beam_size=1 + len(futures) % 2)
            try:
                futures += engine.submit([Job(source=source, search=search, deadline=soon)])
            except EngineFailedError:
                break
            if fate == "cancel":
                futures[-1].cancel()
        done, pending = concurrent.futures.wait(futures, PATIENCE)
        assert not pending
        assert engine.drain(PATIENCE)
        s = engine.statistics()
        assert (s.queued, s.running, s.queued_tokens, s.running_rows) == (0, 0, 0, 0)
        assert s.admitted == len(futures) == s.completed + s.failed + s.cancelled + s.expired
        assert s.cancelled == sum(future.cancelled() for future in done)
        errors = [future.exception() for future in done if not future.cancelled()]
        assert s.expired == sum(isinstance(error, DeadlineError) for error in errors)
        assert s.failed == sum(isinstance(error, EngineFailedError) for error in errors)
        assert s.completed == sum(error is None for error in errors)
