"""The loop guard: what it cuts, what it leaves alone, and when it looks."""

from __future__ import annotations

import doctest
from dataclasses import replace

import numpy as np
import pytest
import textbook
from hypothesis import given
from hypothesis import strategies as st
from test_search import decode
from toy_model import EOS, ToyRuntime

from ferryman_server.engine import FinishReason, Job, Sampling, Search, loops
from ferryman_server.engine.lane import Lane
from ferryman_server.engine.loops import (
    LoopGuard,
    is_loop,
    is_one_sequence,
    is_time_to_look,
    longest_repetition,
)

LOOPS = Search(max_tokens=200, min_tokens=199, loop_tokens=16)


class Parrot(ToyRuntime):
    """A model that says the same words over and over, and ends only where it must.

    Args:
        words: What it says.
    """

    def __init__(self, *words: int) -> None:
        super().__init__()
        self.table[:] = -9.0
        self.table[:, :EOS] = -np.inf
        for place, word in enumerate(words):
            # The trail of a recurrent state counts the tokens here, and nothing else.
            self.table[place :: len(words), word] = -0.01

    def next_log_probs(self, source, prefix):
        raise NotImplementedError


@pytest.fixture
def parrot(monkeypatch):
    """Makes a parrot of some words: the state of the toy model counts tokens."""
    monkeypatch.setattr("toy_model._follow", lambda trail, token: trail + 1)
    monkeypatch.setattr("toy_model._digest", lambda words, size, history, trail: (trail - 6) % 840)
    return Parrot


def test_the_examples_in_the_docstrings_hold():
    failures, examples = doctest.testmod(loops)
    assert failures == 0
    assert examples == 2


@given(ids=st.lists(st.integers(4, 5), max_size=24))
def test_the_longest_repetition_is_the_longest_part_that_repeats(ids):
    parts = [ids[i:j] for i in range(len(ids)) for j in range(i + 1, len(ids) + 1)]
    longest = max((len(p) for p in parts if textbook.repeats(p, times=2)), default=0)
    assert longest_repetition(ids) == longest


@given(ids=st.lists(st.integers(4, 5), min_size=1, max_size=24), copies=st.integers(1, 6))
def test_one_sequence_is_one_sequence(ids, copies):
    many = (ids * copies)[:60]
    longest = min(8, len(many) // 3)
    assert is_one_sequence(many, longest) is textbook.repeats(many, times=3)


@pytest.mark.parametrize("words", [(7,), (7, 8), (7, 8, 9, 10, 7, 8, 11, 12)])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"beam_size": 3},
        {"suppressed": ((14,),)},
        {"beam_size": 3, "suppressed": ((14,),)},
        {"repetition_penalty": 1.01},
        {"sampling": Sampling(seed=4, top_k=1)},
    ],
    ids=["greedy", "beam", "greedy by rules", "beam by rules", "full tail", "sampling"],
)
def test_a_model_that_repeats_itself_is_cut(parrot, words, options):
    """A sequence of up to eight tokens, three times at least, and at every eighth token."""
    limit = 24
    settings = Search(max_tokens=200, min_tokens=199, loop_tokens=limit, **options)
    lane = Lane(parrot(*words), width=settings.rows, max_sources=1, tail=settings.tail)
    ((best, *_),) = decode(lane, [Job(source=(5, 6), search=settings)])
    assert best.finish_reason is FinishReason.LOOP_GUARD
    if settings.beam_size == 1:
        assert best.ids == (words * 24)[:limit]
    else:
        # The others of the beam are the same with a word or two in between, and follow soon.
        assert len(best.ids) in (24, 32, 40)
        assert lane._state.longest <= 64


@pytest.mark.parametrize("width", [1, 3])
def test_a_source_that_was_moved_is_still_watched(parrot, width):
    settings = replace(LOOPS, beam_size=width)
    short = Search(max_tokens=3, min_tokens=2, beam_size=width)
    jobs = [Job(source=(5, 6), search=search) for search in (short, settings)]
    _, moved = decode(Lane(parrot(7), width=width, max_sources=2), jobs)
    _, at_home = decode(Lane(parrot(7), width=width, max_sources=2), jobs[::-1])
    (alone,) = decode(Lane(parrot(7), width=width, max_sources=1), jobs[1:])
    assert moved == alone
    assert moved[0].finish_reason is FinishReason.LOOP_GUARD
    assert at_home[0].finish_reason is FinishReason.MAX_TOKENS


def test_a_source_with_rules_is_not_taken_for_what_it_would_have_been_without(parrot):
    """Its slot goes on as if by greedy search, which repeats itself where the rules do not."""
    ruled = replace(LOOPS, suppressed=((7,),), no_repeat_ngram=2, max_tokens=60, min_tokens=59)
    short = Search(max_tokens=18, min_tokens=17)
    jobs = [Job(source=(5, 6), search=search) for search in (short, ruled)]
    _, (answer,) = decode(Lane(parrot(7), width=1, max_sources=2), jobs)
    ((alone,),) = decode(Lane(parrot(7), width=1, max_sources=1), jobs[1:])
    assert answer == alone
    # After 4 has been followed by every word, none is left that may follow it.
    assert (len(answer.ids), answer.finish_reason) == (22, FinishReason.MAX_TOKENS)


def test_what_goes_on_in_a_beam_comes_before_what_was_cut(parrot):
    settings = Search(max_tokens=40, min_tokens=15, beam_size=2, num_hypotheses=2, loop_tokens=16)
    lane = Lane(parrot(7), width=2, max_sources=1)
    (hypotheses,) = decode(lane, [Job(source=(5, 6), search=settings)])
    reasons = [hypothesis.finish_reason for hypothesis in hypotheses]
    assert reasons == [FinishReason.EOS, FinishReason.LOOP_GUARD]
    assert hypotheses[1].score > hypotheses[0].score


def test_a_source_that_repeats_itself_may_be_translated(parrot):
    ruler = (9,) * 60
    long, short = (
        decode(Lane(parrot(7), width=1, max_sources=1), [Job(source=source, search=LOOPS)])[0][0]
        for source in (ruler, (9, 10, 11))
    )
    # 16 of its own, and twice the 60 of the source.
    assert (len(long.ids), len(short.ids)) == (136, 16)


def test_different_words_are_no_loop(parrot):
    settings = Search(max_tokens=90, min_tokens=89, loop_tokens=16)
    lane = Lane(parrot(*range(4, 13)), width=1, max_sources=1)
    ((hypothesis,),) = decode(lane, [Job(source=(5, 6), search=settings)])
    assert (len(hypothesis.ids), hypothesis.finish_reason) == (90, FinishReason.MAX_TOKENS)


def test_no_guard_lets_everything_pass(parrot):
    settings = Search(max_tokens=90, min_tokens=89)
    ((hypothesis,),) = decode(
        Lane(parrot(7), width=1, max_sources=1), [Job(source=(5, 6), search=settings)]
    )
    assert hypothesis.finish_reason is FinishReason.MAX_TOKENS


@given(
    limits=st.lists(st.sampled_from([8, 20, 33, 0]), min_size=1, max_size=4),
    offsets=st.lists(st.integers(0, 30), min_size=4, max_size=4),
)
def test_the_guard_looks_when_it_is_time_and_at_no_other(limits, offsets):
    guard = LoopGuard(len(limits))
    slots = range(len(limits))
    for step in range(100):
        for slot in slots:
            if offsets[slot] == step:
                guard.admit(slot, limits[slot])
        lengths = np.array([max(0, step + 1 - offsets[slot]) for slot in slots], np.int32)
        expected = [s for s in slots if is_time_to_look(int(lengths[s]), limits[s])]
        assert guard.advance(lengths) == expected


def test_a_hypothesis_is_looked_at_at_every_eighth_token():
    assert [n for n in range(60) if is_time_to_look(n, 20)] == [24, 32, 40, 48, 56]
    assert not any(is_time_to_look(n, 0) for n in range(60))


@pytest.mark.parametrize(
    ("target", "source", "expected"),
    [
        ([7] * 12, [5, 6], True),
        ([7] * 11, [5, 6], False),
        ([9] + [7, 8, 10, 11] * 3, [5, 6], True),
        ([7, 8, 10, 11, 12] * 4, [5, 6], False),
        ([7] * 21, [5] * 5, False),
        ([7] * 22, [5] * 5, True),
    ],
    ids=["a word", "too short", "four words", "five of at most four", "as the source", "longer"],
)
def test_a_loop_is_one_short_sequence_for_longer_than_in_the_source(target, source, expected):
    assert is_loop(lambda count: target[-count:], 12, source) is expected
