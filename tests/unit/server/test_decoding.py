"""Options of a request, defaults of a model, limits of both."""

from __future__ import annotations

import pytest

from ferryman_bundle.manifest import GraphEntry, Shortlist
from ferryman_server.decoding import AppliedOptions, apply_options
from ferryman_server.engine import LengthPenalty, Sampling, Search
from ferryman_server.errors import InvalidRequestError
from ferryman_server.request import DecodingOptions, SamplingOptions


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


def test_every_way_to_search_reaches_the_engine(manifest_for):
    asked = DecodingOptions(
        beam_size=4,
        num_hypotheses=2,
        patience=2.0,
        early_stopping=True,
        use_shortlist=True,
        length_penalty_kind=LengthPenalty.GNMT,
        coverage_penalty=0.2,
        beam_groups=2,
        diversity_penalty=0.5,
        repetition_penalty=1.2,
        no_repeat_ngram_size=3,
        suppress=("a",),
        prefix_bias=0.4,
        loop_guard_tokens=0,
    )
    applied = apply_options(asked, manifest_for())
    assert applied.search(10, prefix=(5, 6), suppressed=((7,),)) == Search(
        max_tokens=30,
        beam_size=4,
        num_hypotheses=2,
        length_penalty=0.7,
        length_penalty_kind=LengthPenalty.GNMT,
        patience=2.0,
        early_stopping=True,
        shortlist=True,
        coverage_penalty=0.2,
        groups=2,
        diversity=0.5,
        repetition_penalty=1.2,
        no_repeat_ngram=3,
        suppressed=((7,),),
        prefix=(5, 6),
        prefix_bias=0.4,
    )


@pytest.mark.parametrize(
    ("cost", "graph", "asked", "used"),
    [
        (0.19, "step_shortlist", None, True),
        (-0.1, "step_shortlist", None, True),
        (0.2, "step_shortlist", None, False),
        (None, "step_shortlist", None, False),
        (0.19, "step_full", None, False),
        (0.19, "step_shortlist", False, False),
        (0.2, "step_shortlist", True, True),
    ],
)
def test_a_shortlist_is_used_where_its_cost_is_known_to_be_small(
    manifest_for, cost, graph, asked, used
):
    manifest = manifest_for()
    variants = {
        name: variant.model_copy(
            update={"graphs": {**variant.graphs, graph: GraphEntry(file="x", initializers={})}}
        )
        for name, variant in manifest.variants.items()
    }
    section = Shortlist(file="list", max_candidates=9, bleu_cost=cost)
    changed = manifest.model_copy(update={"variants": variants, "shortlist": section})
    applied = apply_options(DecodingOptions(use_shortlist=asked), changed)
    assert applied.search(5).shortlist is used


def test_a_model_without_a_shortlist_uses_none_unless_asked(manifest_for):
    assert not apply_options(DecodingOptions(), manifest_for()).search(5).shortlist
    assert apply_options(DecodingOptions(use_shortlist=True), manifest_for()).search(5).shortlist


def test_sampling_needs_no_beam_whatever_the_models_default_is(manifest_for):
    asked = DecodingOptions(num_hypotheses=5, sampling=SamplingOptions(seed=7, top_p=0.9))
    search = apply_options(asked, manifest_for()).search(10)
    assert (search.beam_size, search.num_hypotheses) == (1, 5)
    assert search.sampling == Sampling(seed=7, top_p=0.9)


def test_the_server_chooses_a_seed_where_the_request_has_none(manifest_for):
    asked = DecodingOptions(sampling=SamplingOptions())
    seeds = {apply_options(asked, manifest_for()).sampling.seed for _ in range(4)}
    assert len(seeds) == 4
    assert max(seeds) < 2**53


def test_every_sentence_of_a_text_has_a_seed_of_its_own(manifest_for):
    asked = DecodingOptions(sampling=SamplingOptions(seed=7))
    applied = apply_options(asked, manifest_for())
    seeds = [applied.search(10, number=number).sampling.seed for number in range(3)]
    assert seeds[0] == 7
    assert len(set(seeds)) == 3
    assert seeds == [applied.search(99, number=number).sampling.seed for number in range(3)]


def test_alternatives_are_those_of_the_first_sentence(manifest_for):
    applied = apply_options(DecodingOptions(), manifest_for(), alternatives=4)
    first, second = (applied.search(10, number=number) for number in range(2))
    assert (first.alternatives, first.num_hypotheses, first.beam_size) == (4, 4, 1)
    assert (second.alternatives, second.num_hypotheses, second.beam_size) == (0, 1, 3)


def test_a_prefix_may_be_longer_than_the_limit_of_its_sentence(manifest_for):
    search = apply_options(DecodingOptions(), manifest_for()).search(1, prefix=(5,) * 40)
    assert search.max_tokens == 41


def test_the_least_length_grows_with_the_source(manifest_for):
    applied = apply_options(DecodingOptions(min_length_ratio=0.5), manifest_for())
    assert applied.search(30).min_tokens == 15
    assert apply_options(DecodingOptions(), manifest_for()).search(30).min_tokens == 0


def test_options_that_contradict_the_models_beam_are_refused(manifest_for):
    with pytest.raises(InvalidRequestError, match=r"groups must divide beam_size \(3\)"):
        apply_options(DecodingOptions(beam_groups=2), manifest_for())


def test_a_text_of_several_sentences_is_scored_as_one(manifest_for):
    applied = apply_options(DecodingOptions(length_penalty=0.0), manifest_for())
    assert applied.score(-6.0, 9) == -6.0
    gnmt = DecodingOptions(length_penalty=1.0, length_penalty_kind=LengthPenalty.GNMT)
    assert apply_options(gnmt, manifest_for()).score(-6.0, 7) == -3.0
    assert apply_options(gnmt, manifest_for()).score(0.0, 0) == 0.0
