"""Options of a request, defaults of a model, limits of both."""

from __future__ import annotations

import pytest

from ferryman_server.decoding import AppliedOptions, apply_options
from ferryman_server.request import DecodingOptions


def test_a_request_that_sets_nothing_gets_the_models_defaults(manifest_for):
    assert apply_options(DecodingOptions(), manifest_for()) == AppliedOptions(
        beam_size=3,
        num_hypotheses=1,
        length_penalty=0.7,
        min_tokens=0,
        max_tokens=80,
        max_length_ratio=2.0,
        max_length_offset=10,
    )


def test_zero_is_a_value_and_not_nothing(manifest_for):
    asked = DecodingOptions(length_penalty=0.0, max_length_ratio=0.0, max_length_offset=0)
    applied = apply_options(asked, manifest_for())
    assert applied.length_penalty == 0.0
    assert applied.search(50).max_tokens == 1


def test_more_hypotheses_than_the_beam_widen_it_unless_it_is_set(manifest_for):
    assert apply_options(DecodingOptions(num_hypotheses=5), manifest_for()).beam_size == 5
    assert apply_options(DecodingOptions(num_hypotheses=2), manifest_for()).beam_size == 3
    asked = DecodingOptions(beam_size=2, num_hypotheses=2)
    assert apply_options(asked, manifest_for()).beam_size == 2


def test_the_models_longest_target_bounds_what_a_request_asks_for(manifest_for):
    applied = apply_options(DecodingOptions(max_tokens=1000), manifest_for())
    assert applied.max_tokens == 80
    assert applied.search(60).max_tokens == 80


@pytest.mark.parametrize(("source_tokens", "most"), [(1, 12), (10, 30), (35, 80), (60, 80)])
def test_the_limit_grows_with_the_source(manifest_for, source_tokens, most):
    applied = apply_options(DecodingOptions(), manifest_for())
    assert applied.search(source_tokens).max_tokens == most


def test_the_least_length_gives_way_to_the_greatest(manifest_for):
    applied = apply_options(DecodingOptions(min_tokens=50), manifest_for())
    assert applied.search(1).min_tokens == 11
    assert applied.search(60).min_tokens == 50
