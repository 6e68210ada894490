"""Scheduled sampling: the decays of the paper, with their constants solved for."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ferryman_training.optimizer_config import OptimizerConfig
from ferryman_training.sampling import sampling_share

KINDS = ["linear", "exponential", "inverse-sigmoid"]


def config(kind: str, halfway: int, limit: float = 1.0) -> OptimizerConfig:
    return OptimizerConfig(sampling=kind, sampling_halfway=halfway, sampling_limit=limit)


@given(
    st.sampled_from(KINDS),
    st.integers(1, 10**7),
    st.floats(0.01, 1.0),
    st.lists(st.integers(1, 10**8), min_size=2),
)
def test_the_share_grows_from_little_through_one_half_to_its_limit(kind, halfway, limit, steps):
    shares = [sampling_share(config(kind, halfway, limit), step) for step in sorted(steps)]
    assert all(0 <= share <= limit for share in shares)
    assert shares == sorted(shares)
    assert sampling_share(config(kind, halfway), halfway) == pytest.approx(0.5)
    assert sampling_share(config(kind, halfway, limit), 100 * halfway) == limit


def test_without_sampling_every_input_is_true():
    assert sampling_share(config("none", 1), 10**9) == 0.0


@pytest.mark.parametrize("step", [1, 100, 1000, 5000])
def test_the_decays_are_those_of_section_2_4(step):
    halfway = 1000
    # linear: max(e, k - c i) with k = 1 and c = 1 / (2 halfway)
    assert 1 - sampling_share(config("linear", halfway), step) == pytest.approx(
        max(0.0, 1 - step / 2000)
    )
    # exponential: k^i with k = 0.5^(1 / halfway) < 1
    assert 1 - sampling_share(config("exponential", halfway), step) == pytest.approx(
        (0.5 ** (1 / 1000)) ** step
    )
    # inverse sigmoid: k / (k + exp(i / k)) with k >= 1; found here by bisection
    low, high = 1.0, 1000.0
    for _ in range(200):
        k = (low + high) / 2
        low, high = (k, high) if k * math.log(k) < halfway else (low, k)
    assert 1 - sampling_share(config("inverse-sigmoid", halfway), step) == pytest.approx(
        k / (k + math.exp(step / k))
    )
