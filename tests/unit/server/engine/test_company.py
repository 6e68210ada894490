"""Batch invariance: an answer has the same bits alone, in any company, and streamed.

For toys of every architecture, and for searches with any options at once.
"""

from __future__ import annotations

import random

import hypothesis
import pytest
from company import Case
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_model import ToyRuntime

from ferryman_server.engine import Engine, Job, Sampling, Search

CASES = 10_000 if hypothesis.settings.get_current_profile_name() == "deep" else 500


@settings(max_examples=CASES)
@given(number=st.integers(0, 2**48))
def test_every_answer_is_the_same_in_any_company(number):
    draw = random.Random(number)
    case = Case.drawn(draw)
    alone = case.alone()
    joined, told = case.mid_flight(draw)
    assert joined == alone
    assert told == [hypotheses[0].ids for hypotheses in alone], "streamed, it is the same text"


@given(number=st.integers(0, 2**48), workers=st.integers(1, 3))
def test_every_answer_is_the_same_with_any_number_of_workers(number, workers):
    draw = random.Random(number)
    case = Case.drawn(draw)
    assert case.by_engine(draw, workers=workers) == case.alone()


@pytest.fixture
def runtime():
    return ToyRuntime()


def streamed(runtime, search, *, company=()):
    """Return what a listener was told call by call, and the answer."""
    told = []
    jobs = [Job(source=(5, 6, 7), search=search, listener=told.append), *company]
    with Engine(runtime, max_rows=32) as engine:
        result = engine.submit(jobs)[0].result(60)
    return told, result.hypotheses[0]


def test_greedy_tokens_are_told_as_they_come(runtime):
    told, best = streamed(runtime, Search(max_tokens=9, min_tokens=8))
    assert [len(tokens) for tokens in told] == [1] * len(best.ids)
    assert sum(told, ()) == best.ids


def test_a_beam_tells_what_all_its_hypotheses_share(runtime):
    told, best = streamed(runtime, Search(max_tokens=60, min_tokens=59, beam_size=4))
    assert len(told) > 3, "long before its end, much of a hypothesis is certain"
    assert max(len(tokens) for tokens in told) > 1
    assert sum(told, ()) == best.ids


def test_one_sample_is_told_as_it_comes(runtime):
    search = Search(max_tokens=9, min_tokens=8, sampling=Sampling(seed=4, top_p=0.9))
    told, best = streamed(runtime, search)
    assert [len(tokens) for tokens in told] == [1] * len(best.ids)


def test_a_listener_that_fails_harms_nobody(runtime):
    heard = []

    def fail(tokens):
        heard.append(tokens)
        raise ValueError("nobody listens any more")

    search = Search(max_tokens=9, min_tokens=8)
    with Engine(runtime) as engine:
        jobs = [Job(source=(5, 6), search=search, listener=one) for one in (fail, None)]
        first, second = (future.result(60) for future in engine.submit(jobs))
    assert first.hypotheses == second.hypotheses
    assert len(heard) == 1


def test_the_same_seed_gives_the_same_text_and_another_seed_another(runtime):
    def texts(seed, *company):
        search = Search(
            max_tokens=30, min_tokens=20, num_hypotheses=3, sampling=Sampling(seed=seed)
        )
        jobs = [Job(source=(5, 6, 7), search=search), *company]
        with Engine(runtime, max_rows=16) as engine:
            futures = engine.submit(jobs)
            return [h.ids for h in futures[0].result(60).hypotheses]

    other = Search(max_tokens=40, beam_size=3, repetition_penalty=1.2)
    assert texts(1) == texts(1, *[Job(source=(9, n), search=other) for n in range(4, 12)])
    assert len({*texts(1), *texts(2)}) == 6
