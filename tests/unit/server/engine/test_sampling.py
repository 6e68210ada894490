"""Random draws: where they come from, what is filtered out, and how often each token comes."""

from __future__ import annotations

import doctest
from collections import Counter

import numpy as np
import pytest
import textbook
from hypothesis import given
from hypothesis import strategies as st

from ferryman_server.engine import Sampling, sampling
from ferryman_server.engine.sampling import draw, filter_tokens, uniforms

samplings = st.builds(
    Sampling,
    seed=st.just(0),
    temperature=st.sampled_from([0.3, 1.0, 2.0]),
    top_k=st.sampled_from([0, 1, 5, 30]),
    top_p=st.sampled_from([1.0, 0.95, 0.5, 0.01]),
    min_p=st.sampled_from([0.0, 0.1, 0.9, 1.0]),
)


def test_the_examples_in_the_docstrings_hold():
    failures, examples = doctest.testmod(sampling)
    assert failures == 0
    assert examples == 2


def test_the_random_numbers_are_these_for_ever():
    """Another version of NumPy, or of this code, may not change what a seed means."""
    assert uniforms(2026, 0, 2) == [0.422034180346073, 0.34249750953111324]
    assert uniforms(2026, 1, 2) == [0.7053209004349337, 0.004441929436082903]
    assert uniforms((1 << 64) - 1, 0, 1) == [0.23494158814525556]


def test_fewer_random_numbers_are_the_first_of_more():
    many = uniforms(7, 2, 400)
    assert uniforms(7, 2, 5) == many[:5]
    assert 0 <= min(many) < 0.01
    assert 0.99 < max(many) < 1
    assert np.mean(many) == pytest.approx(0.5, abs=0.05)
    assert len({*many, *uniforms(7, 3, 400), *uniforms(8, 2, 400)}) == 1200


@given(
    seed=st.integers(0, 1000),
    size=st.integers(1, 40),
    coarse=st.booleans(),
    settings=samplings,
    uniform=st.floats(0, 1, exclude_max=True),
)
def test_a_draw_is_the_textbook_draw(seed, size, coarse, settings, uniform):
    random = np.random.default_rng(seed)
    log_probs = np.log(random.dirichlet(np.full(size, 0.5)) + 1e-12)
    if coarse:
        log_probs = np.round(log_probs)
    best_first = np.argsort(-log_probs, kind="stable").tolist()
    expected = textbook.draw(log_probs, best_first, settings, uniform)
    assert draw(log_probs, np.arange(size), settings, uniform) == expected


def test_a_nucleus_of_a_whole_vocabulary_is_found_without_sorting_it():
    random = np.random.default_rng(5)
    log_probs = np.log(random.dirichlet(np.full(8000, 0.01)) + 1e-30)
    settings = Sampling(seed=0, top_p=0.95)
    places, weights = filter_tokens(log_probs, np.arange(8000), settings)
    probabilities = np.exp(log_probs) / np.exp(log_probs).sum()
    kept = np.sort(probabilities[places])
    assert kept.sum() >= 0.95 > kept[1:].sum()
    assert probabilities[np.setdiff1d(np.arange(8000), places)].max() <= kept[0]
    assert weights == pytest.approx(probabilities[places] / probabilities.max())


def test_tokens_come_as_often_as_they_are_probable():
    log_probs = np.log(np.array([0.5, 0.3, 0.15, 0.05]))
    settings = Sampling(seed=0, temperature=2.0, top_k=3)
    counts = Counter(
        draw(log_probs, np.arange(4), settings, uniform) for uniform in uniforms(3, 0, 20_000)
    )
    expected = np.sqrt([0.5, 0.3, 0.15])
    expected /= expected.sum()
    # Four standard deviations of a count out of 20,000 are at most 0.0142.
    assert [counts[i] / 20_000 for i in range(3)] == pytest.approx(expected, abs=0.0142)
    assert counts[3] == 0
