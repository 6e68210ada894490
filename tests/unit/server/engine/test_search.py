"""Search functions, and search over a running batch, against textbook search over lists."""

from __future__ import annotations

import doctest
import random
import time
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from any_search import draw_search
from hypothesis import given
from hypothesis import strategies as st
from textbook import Found, exhaustive, greedy, search_for
from toy_model import ARCHITECTURES, EOS, ToyRuntime

from ferryman_server.engine import FinishReason, Hypothesis, Job, Search, Tail, search
from ferryman_server.engine.beam import BeamSearch
from ferryman_server.engine.lane import Lane
from ferryman_server.engine.ticket import Ticket

FIVE_WORDS = [EOS, 4, 5, 6, 7]

architectures = st.sampled_from(sorted(ARCHITECTURES))
sources = st.lists(st.integers(4, 7), min_size=1, max_size=20).map(tuple)


def decode(lane: Lane, jobs: list[Job]) -> list[tuple[Hypothesis, ...]]:
    """Run jobs of one beam width through a lane, all together."""
    tickets = [Ticket(job, time.monotonic()) for job in jobs]
    lane.admit(tickets)
    answers = {}
    while lane.tickets:
        answers.update((done.ticket, done.hypotheses) for done in lane.step())
    return [answers[ticket] for ticket in tickets]


def as_found(hypothesis: Hypothesis) -> Found:
    """Return a hypothesis as the twin writes it, its end included."""
    reason = hypothesis.finish_reason
    tokens = (*hypothesis.ids, EOS) if reason is FinishReason.EOS else hypothesis.ids
    return Found(tokens, hypothesis.token_log_probs, hypothesis.log_prob, reason=reason)


def test_the_examples_in_the_docstrings_hold():
    failures, examples = doctest.testmod(search)
    assert failures == 0
    assert examples > 5


@given(
    architecture=architectures,
    source=sources,
    ties=st.booleans(),
    seed=st.integers(0, 20),
    min_tokens=st.integers(0, 4),
    max_tokens=st.integers(5, 12),
)
def test_greedy_search_is_the_likeliest_token_each_time(
    architecture, source, ties, seed, min_tokens, max_tokens
):
    runtime = ToyRuntime(seed=seed, ties=ties, architecture=architecture)
    settings = Search(min_tokens=min_tokens, max_tokens=max_tokens)
    lane = Lane(runtime, width=1, max_sources=1)
    ((hypothesis,),) = decode(lane, [Job(source=source, search=settings)])
    expected = greedy(partial(runtime.next_log_probs, source), settings, eos=EOS)
    assert as_found(hypothesis) == expected
    assert hypothesis.score == expected.score(settings)


@given(
    architecture=architectures,
    source=sources,
    ties=st.booleans(),
    seed=st.integers(0, 20),
    width=st.integers(2, 7),
    min_tokens=st.integers(0, 4),
    max_tokens=st.integers(5, 12),
    length_penalty=st.sampled_from([0.0, 0.6, 1.0, 2.0]),
)
def test_beam_search_is_textbook_beam_search(
    architecture, source, ties, seed, width, min_tokens, max_tokens, length_penalty
):
    runtime = ToyRuntime(seed=seed, ties=ties, architecture=architecture)
    settings = Search(
        beam_size=width,
        num_hypotheses=width,
        min_tokens=min_tokens,
        max_tokens=max_tokens,
        length_penalty=length_penalty,
    )
    lane = Lane(runtime, width=width, max_sources=1)
    (hypotheses,) = decode(lane, [Job(source=source, search=settings)])
    expected = search_for(source, partial(runtime.next_log_probs, source), settings, eos=EOS)
    assert [as_found(hypothesis) for hypothesis in hypotheses] == expected
    assert [h.score for h in hypotheses] == [found.score(settings) for found in expected]


@given(number=st.integers(0, 2**32), words=st.sampled_from([1, 2, 4, 12]), ties=st.booleans())
def test_every_search_is_its_textbook_twin(number, words, ties):
    """All options, in any combination, over every tail."""
    drawn = random.Random(number)
    settings = replace(draw_search(drawn, words=words, longest=30), coverage_penalty=0.0)
    runtime = ToyRuntime(words, seed=number % 20, ties=ties)
    source = tuple(drawn.choices(range(4, 4 + words), k=drawn.randint(1, 12)))
    lane = Lane(runtime, width=settings.rows, max_sources=1, tail=settings.tail)
    (hypotheses,) = decode(lane, [Job(source=source, search=settings)])
    listed = settings.tail is Tail.SHORTLIST
    log_probs = runtime.listed_log_probs if listed else runtime.next_log_probs
    found = search_for(source, partial(log_probs, source), settings, eos=EOS)
    expected = found[: settings.num_hypotheses]
    assert [as_found(hypothesis) for hypothesis in hypotheses] == expected
    scores = [found.score(settings) for found in expected]
    assert [h.score for h in hypotheses] == pytest.approx(scores, rel=1e-12)


@given(source=sources, seed=st.integers(0, 20), length_penalty=st.sampled_from([0.0, 0.7, 1.0]))
def test_a_wide_enough_beam_is_exhaustive_search(source, seed, length_penalty):
    runtime = ToyRuntime(words=4, seed=seed)
    settings = Search(beam_size=85, num_hypotheses=20, max_tokens=3, length_penalty=length_penalty)
    (hypotheses,) = decode(
        Lane(runtime, width=85, max_sources=1), [Job(source=source, search=settings)]
    )
    expected = exhaustive(
        partial(runtime.next_log_probs, source), settings, eos=EOS, vocabulary=FIVE_WORDS
    )
    assert [as_found(hypothesis) for hypothesis in hypotheses] == expected


@given(batch=st.lists(sources, min_size=1, max_size=5), seed=st.integers(0, 20))
def test_a_beam_of_one_is_greedy(batch, seed):
    runtime = ToyRuntime(seed=seed)
    jobs = [Job(source=source, search=Search(max_tokens=10)) for source in batch]
    by_greedy = Lane(runtime, width=1, max_sources=5)
    by_beam = Lane(runtime, width=1, max_sources=5)
    by_beam._search = BeamSearch(
        by_beam._decoder.input_ids,
        vocabulary_size=runtime.vocabulary_size,
        bos=runtime.bos,
        eos=runtime.eos,
    )
    assert decode(by_beam, jobs) == decode(by_greedy, jobs)


def test_no_state_is_copied_for_a_sentence_that_is_done():
    lane = Lane(ToyRuntime(), width=4, max_sources=3)
    jobs = [Job(source=(5, n), search=Search(beam_size=4, max_tokens=1)) for n in (6, 7, 8)]
    decode(lane, jobs)
    assert lane.take_bytes_copied() == 0
    decode(lane, [Job(source=(5, 6), search=Search(beam_size=4, max_tokens=2, min_tokens=1))])
    assert lane.take_bytes_copied() > 0


def test_an_end_outside_the_best_of_the_beam_does_not_count():
    going, ending = search.extend_beams(
        np.array([[0.0, -1.0]]),
        np.float32([[[-0.1, -0.2, -0.3], [-5.0, -6.0, -7.0]]]),
        np.array([[[7, 8, EOS], [7, 8, EOS]]]),
        np.array([True]),
        eos=EOS,
    )
    assert going.ids.tolist() == [[7, 8]]
    assert ending.log_probs.tolist() == [[-np.inf, -np.inf]]


def test_the_end_may_be_forbidden_for_one_source_and_not_for_another():
    log_probs = np.float32([[[-0.1, -0.2]]]).repeat(2, axis=0)
    ids = np.array([[[EOS, 8]]]).repeat(2, axis=0)
    going, ending = search.extend_beams(
        np.zeros((2, 1)), log_probs, ids, np.array([True, False]), eos=EOS
    )
    assert going.ids.tolist() == [[8], [8]]
    assert ending.log_probs.tolist() == [[pytest.approx(-0.1)], [-np.inf]]


@given(
    n=st.integers(1, 6),
    width=st.integers(1, 5),
    seed=st.integers(0, 1000),
    coarse=st.booleans(),
)
def test_sources_are_extended_as_if_each_were_alone(n, width, seed, coarse):
    random = np.random.default_rng(seed)
    shape = n, width, width + 1
    log_probs = -np.sort(random.exponential(size=shape), axis=2).astype(np.float32)
    scores = -np.sort(random.exponential(size=(n, width)), axis=1)
    if coarse:
        log_probs, scores = np.round(log_probs), np.round(scores)
    ids = np.stack([[random.permutation(12)[: width + 1] for _ in range(width)] for _ in range(n)])
    may_end = random.random(n) < 0.5
    together = search.extend_beams(scores, log_probs, ids, may_end, eos=EOS)
    for i in range(n):
        one = slice(i, i + 1)
        alone = search.extend_beams(scores[one], log_probs[one], ids[one], may_end[one], eos=EOS)
        for candidates, expected in zip(together, alone, strict=True):
            for field, expected_field in zip(candidates, expected, strict=True):
                np.testing.assert_array_equal(field[one], expected_field)


@pytest.mark.parametrize(
    ("finished", "best_alive", "expected"),
    [
        ([], -1.0, False),
        ([-1.0], -9.0, False),
        ([-1.0, -2.0], -2.0, True),
        ([-1.0, -2.0], -1.9, False),
        ([-1.0], -np.inf, True),
        ([], -np.inf, False),
    ],
)
def test_a_beam_is_done_when_nobody_can_overtake(finished, best_alive, expected):
    assert search.is_done(finished, best_alive, enough=2) is expected
