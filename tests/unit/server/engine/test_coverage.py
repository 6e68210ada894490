"""The coverage penalty: equation 14 of Wu et al. 2016, over what has finished."""

from __future__ import annotations

import doctest
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_search import decode, sources
from toy_model import EOS, ToyRuntime

from ferryman_server.engine import FinishReason, Job, Search, coverage
from ferryman_server.engine.lane import Lane


def test_the_examples_in_the_docstrings_hold():
    failures, examples = doctest.testmod(coverage)
    assert failures == 0
    assert examples == 1


def test_a_source_token_that_nothing_attends_to_costs_much_but_not_all():
    attention = np.float32([[1.0, 0.0, 0.25], [1.0, 0.0, 0.25]])
    expected = math.log(1.0) + math.log(1e-9) + math.log(0.5)
    assert coverage.coverage(attention) == pytest.approx(expected)


@given(source=sources, seed=st.integers(0, 50), weight=st.sampled_from([0.1, 1.0, 5.0]))
def test_finished_hypotheses_are_ranked_with_their_coverage(source, seed, weight):
    runtime = ToyRuntime(seed=seed)
    plain = Search(max_tokens=12, beam_size=4, num_hypotheses=4)
    covered = replace(plain, coverage_penalty=weight, num_hypotheses=2)
    lane = Lane(runtime, width=4, max_sources=2)
    without, found = decode(lane, [Job(source=source, search=s) for s in (plain, covered)])
    expected = []
    for hypothesis in without:
        ended = hypothesis.finish_reason is FinishReason.EOS
        (attention,) = runtime.attention(
            source, [(*hypothesis.ids, EOS)[: len(hypothesis.ids) + ended]]
        )
        penalty = sum(
            math.log(min(max(float(c), 1e-9), 1.0)) for c in attention.astype(float).sum(0)
        )
        expected.append((hypothesis.score + weight * penalty, hypothesis.ids))
    expected.sort(reverse=True)
    assert [hypothesis.ids for hypothesis in found] == [ids for _, ids in expected[:2]]
    assert [h.score for h in found] == pytest.approx([score for score, _ in expected[:2]])
    assert [h.log_prob for h in found] == [
        h.log_prob for f in found for h in without if h.ids == f.ids
    ]


def test_what_was_cut_in_a_loop_stays_last():
    runtime = ToyRuntime()
    (best,) = decode(
        Lane(runtime, width=1, max_sources=1),
        [Job(source=(5, 6, 7), search=Search(max_tokens=3, min_tokens=2))],
    )[0]
    looping = replace(best, score=9.0, finish_reason=FinishReason.LOOP_GUARD)
    job = Job(source=(5, 6, 7), search=Search(max_tokens=3, coverage_penalty=0.1))
    ranked = coverage.rank_by_coverage(runtime, job, [best, looping])
    assert [h.finish_reason for h in ranked] == [best.finish_reason, FinishReason.LOOP_GUARD]
