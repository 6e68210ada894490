"""What engines are given to translate, and when."""

from __future__ import annotations

from pathlib import Path

import pytest
from benchmarks.loads import RANDOM, Load, as_words_of, forced_tokens, read_sources, spread
from benchmarks.workloads import WORKLOADS, Workload

from ferryman_bundle import Bundle

ROOT = Path(__file__).parents[3]
SAMPLE = ROOT / "tests" / "data" / "sample.en-fr.tsv"


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return Bundle.load(ROOT / "models" / "en-fr" / "ferryman_model_en_fr" / "bundle")


@pytest.fixture(scope="module")
def random_bundle(bundle) -> Bundle:
    manifest = bundle.manifest.model_copy(update={"name": RANDOM})
    return Bundle(manifest, bundle.tokenizer, bundle.contents)


def workload(**fields) -> Workload:
    return Workload(name="any", bounds={}, **fields)


def test_calls_hold_every_sentence_once_and_only_the_last_is_smaller(bundle):
    load = Load.of(bundle, [(5,)] * 10, group=4)
    assert load.calls == [range(4), range(4, 8), range(8, 10)]
    assert Load.of(bundle, [(5,)] * 10).calls == [range(10)]


def test_pieces_are_those_of_the_ids(bundle):
    [source] = read_sources(bundle, SAMPLE, 1)
    assert "".join(Load.of(bundle, [source]).pieces[0]).replace("▁", " ").strip()
    assert (
        bundle.tokenizer.decode(source)
        == "".join(Load.of(bundle, [source]).pieces[0]).replace("▁", " ").strip()
    )


def test_sentences_come_from_the_whole_file(bundle):
    few, many = read_sources(bundle, SAMPLE, 10), read_sources(bundle, SAMPLE, 10_000)
    assert len(few) == 10 < len(many)
    assert few == many[:: len(many) // 10][:10]
    assert max(map(len, many)) <= bundle.manifest.limits.max_source_tokens
    assert spread(many, len(many) + 1) == many


def test_random_weights_are_given_lengths_on_both_sides(bundle, random_bundle):
    assert forced_tokens(bundle) is None
    assert forced_tokens(random_bundle) == 32
    assert [len(ids) for ids in as_words_of(random_bundle, [(1,), (2, 3, 4)])] == [1, 3]
    assert workload().load(random_bundle, [(5,)]).target_tokens == 32


@pytest.mark.parametrize(
    ("group", "share", "expected"), [(None, 0.5, 50), (8, 0.25, 24), (32, 0.1, 32), (1, 0.2, 20)]
)
def test_a_workload_takes_whole_calls_and_at_least_one(bundle, group, share, expected):
    load = workload(group=group, share=share).load(bundle, [(5,)] * 100)
    assert len(load.sources) == expected
    assert group is None or {len(call) for call in load.calls} == {group}


def test_every_workload_is_bounded_at_either_scale():
    bounds = [workload.bounds[scale] for workload in WORKLOADS for scale in ("tiny", "base")]
    assert all(0 < bound.floor < bound.aim for bound in bounds)
    assert len({workload.name for workload in WORKLOADS}) == len(WORKLOADS)
