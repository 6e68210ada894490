"""The updates of a run: from anywhere the same, whoever shares them."""

from __future__ import annotations

import numpy as np
import pytest

from ferryman_training.cache import Cache
from ferryman_training.corpus_config import CorpusPart, FilterConfig
from ferryman_training.replicas import Replicas
from ferryman_training.sampler import EpochSampler
from ferryman_training.text_store import TextStore
from ferryman_training.token_store import TokenStore
from ferryman_training.variation import Variation


@pytest.fixture(scope="module")
def corpus_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sampler")
    for name, count in (("a", 60), ("b", 40)):
        rows = [
            f"{'the ' * (i % 9)}file {name}{i}.txt\t{'le ' * (i % 7)}fichier {name}{i}.txt\n"
            for i in range(count)
        ]
        (folder / f"{name}.tsv").write_text("".join(rows), "utf-8")
    return folder


@pytest.fixture
def sampler(corpus_folder, tokenizer):
    def make(*, seed=1, share=0.3, sampling=0.0, weights=(1.0, 1.0)) -> EpochSampler:
        cache = Cache(corpus_folder / "cache")
        parts = [CorpusPart(path=corpus_folder / f"{name}.tsv") for name in ("a", "b")]
        texts = TextStore.obtain(cache, parts, FilterConfig(), digest="x")
        variation = Variation(
            texts=texts, tokenizer=tokenizer, placeholder_share=share, sampling=sampling,
            max_tokens=60, seed=seed, scratch=cache.folder,
        )  # fmt: skip
        return EpochSampler(
            tokens=TokenStore.obtain(cache, texts, tokenizer, max_tokens=60),
            weights=weights,
            variation=variation if variation.varies else None,
            batch_tokens=512,
            micro_batches=2,
            seed=seed,
        )

    return make


def read(plan) -> list[tuple]:
    """What a plan gives, with its batches read."""
    return [(u.step, u.epoch, u.number, u.epoch_updates, list(u.micro_batches)) for u in plan]


@pytest.mark.parametrize("sampling", [0.0, 0.3])
@pytest.mark.parametrize("stop", [0, 1, 4, 11, 30])
def test_a_plan_goes_on_where_it_was_left(sampler, stop, sampling):
    whole = list(sampler(sampling=sampling).plan(step=0, epoch=0, done=0, steps=30))
    assert [u.step for u in whole] == list(range(1, 31))
    assert whole[-1].epoch > 0
    fresh = sampler(sampling=sampling)
    if stop:
        at = whole[stop - 1]
        rest = fresh.plan(step=at.step, epoch=at.epoch, done=at.number, steps=30)
    else:
        rest = fresh.plan(step=0, epoch=0, done=0, steps=30)
    assert read(rest) == read(whole[stop:])


def test_an_epoch_is_the_same_again_and_another_one_or_seed_is_not(sampler):
    def epoch(number, **changes):
        plan = sampler(**changes).epoch(number)
        return [list(plan.update(i)) for i in range(len(plan))]

    assert epoch(2) == epoch(2)
    assert epoch(2) != epoch(3)
    assert epoch(2) != epoch(2, seed=2)
    assert epoch(2, share=0.0) != epoch(3, share=0.0)
    assert epoch(0, seed=-5) == epoch(0, seed=-5)


def test_the_number_of_an_update_counts_up_to_those_of_its_epoch(sampler):
    updates = list(sampler(share=0.0).plan(step=0, epoch=0, done=0, steps=40))
    size = updates[0].epoch_updates
    assert 1 < size < 39
    assert [u.number for u in updates[: size + 1]] == [*range(1, size + 1), 1]
    assert [u.epoch for u in updates[: size + 1]] == [0] * size + [1]


def test_weights_decide_how_often_a_part_comes(sampler):
    weighed = sampler(share=0.0, weights=(2.0, 0.5))
    plan = weighed.epoch(0)
    drawn = np.bincount(plan.draws, minlength=100)
    assert drawn[:60].tolist() == [2] * 60
    assert sorted(drawn[60:].tolist()) == [0] * 20 + [1] * 20
    assert sorted(plan.draws.tolist()) == sorted(plan.draws[plan.order].tolist())
    assert weighed.target_tokens > sampler(share=0.0).target_tokens


def test_the_target_tokens_of_an_epoch_are_those_of_its_batches(sampler):
    plain = sampler(share=0.0)
    plan = plain.epoch(0)
    counted = sum(
        len(pair.target) + 1 for i in range(len(plan)) for batch in plan.update(i) for pair in batch
    )
    assert counted == plain.target_tokens


@pytest.mark.parametrize("world", [1, 2, 3, 5])
def test_any_number_of_processes_shares_the_same_work_out(world):
    shares = [list(Replicas(rank, world).share(7)) for rank in range(world)]
    assert sorted(index for share in shares for index in share) == list(range(7))
