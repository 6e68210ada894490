"""Tokens that a target must have, over distributions that want to end without them."""

from __future__ import annotations

import doctest

from hypothesis import given
from hypothesis import strategies as st
from test_search import decode
from toy_model import ToyRuntime

from ferryman_server.engine import FinishReason, Job, Sampling, Search, required
from ferryman_server.engine.lane import Lane
from ferryman_server.engine.required import missing, out_of_turn

CHAINS = ((5, 6), (7,), (9, 4, 8))

tokens = st.lists(st.integers(4, 12), max_size=6)


def test_the_examples_in_the_docstrings_hold():
    failures, examples = doctest.testmod(required)
    assert failures == 0
    assert examples >= 5


@given(ids=tokens)
def test_what_is_missing_may_come_in_its_turn_and_nothing_else_that_is_required(ids):
    lacking = [token for chain in missing(ids, CHAINS) for token in chain]
    assert sorted(lacking) == sorted({t for c in CHAINS for t in c} - set(ids))
    for chain in CHAINS:
        absent = [token for token in chain if token not in ids]
        assert [t for t in chain if t not in out_of_turn(ids, CHAINS)] == absent[:1]


@given(
    seed=st.integers(0, 50),
    width=st.integers(1, 4),
    max_tokens=st.integers(7, 12),
    draws=st.booleans(),
)
def test_a_target_has_all_that_is_required_once_and_in_order(seed, width, max_tokens, draws):
    search = Search(
        max_tokens=max_tokens,
        beam_size=1 if draws else width,
        num_hypotheses=width,
        sampling=Sampling(seed=seed) if draws else None,
        required=CHAINS,
    )
    runtime = ToyRuntime(12, seed=seed)
    lane = Lane(runtime, width=search.rows, max_sources=1, tail=search.tail)
    (hypotheses,) = decode(lane, [Job(source=(4, 5, 6), search=search)])
    assert hypotheses
    for hypothesis in hypotheses:
        for chain in CHAINS:
            assert tuple(token for token in hypothesis.ids if token in chain) == chain


def test_a_target_that_would_end_takes_what_is_missing_instead_of_padding():
    """However long it may be: what is required comes where the model would have stopped."""

    def best(search: Search) -> tuple[int, ...]:
        lane = Lane(ToyRuntime(12, seed=1), width=1, max_sources=1, tail=search.tail)
        ((hypothesis, *_),) = decode(lane, [Job(source=(4, 5, 6), search=search)])
        assert hypothesis.finish_reason is FinishReason.EOS
        return hypothesis.ids

    free = best(Search(max_tokens=200))
    absent = [token for token in range(4, 16) if token not in free][:2]
    bound = best(Search(max_tokens=200, required=tuple((token,) for token in absent)))
    places = [bound.index(token) for token in absent]
    assert bound[: min(places)] == free[: min(places)]
    assert min(places) <= len(free)
