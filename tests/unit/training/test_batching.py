"""The plan of an epoch: complete, within its budget, and the same for everybody."""

from __future__ import annotations

import random
from collections import Counter

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ferryman_bundle.tokenizer import BOS, EOS, PAD
from ferryman_training.batching import EpochSampler, TokenPair, collate, pad
from ferryman_training.corpus import SentencePair
from ferryman_training.replicas import Replicas


def sampler(tokenizer, lengths, *, budget=64, micro_batches=3, seed=1, share=0.0, longest=31):
    tokens = [
        TokenPair(tuple([10 + i] * source), tuple([10 + i] * target))
        for i, (source, target) in enumerate(lengths)
    ]
    pairs = [SentencePair(f"file {i}.txt", f"fichier {i}.txt") for i in range(len(tokens))]
    return EpochSampler(
        pairs=pairs, tokens=tokens, tokenizer=tokenizer, batch_tokens=budget,
        micro_batches=micro_batches, placeholder_share=share, max_tokens=longest, seed=seed,
    )  # fmt: skip


corpora = st.lists(st.tuples(st.integers(1, 31), st.integers(1, 31)), min_size=1, max_size=60)


@given(corpora, st.integers(32, 200), st.integers(1, 4), st.integers(0, 3))
def test_every_pair_comes_exactly_once_an_epoch_within_the_budget(
    tokenizer, lengths, budget, micro_batches, epoch
):
    plan = sampler(tokenizer, lengths, budget=budget, micro_batches=micro_batches)
    updates = plan.updates(epoch)
    assert Counter(p for u in updates for b in u for p in b) == Counter(plan.tokens)
    sizes = sorted(len(update) for update in updates)
    assert set(sizes[1:]) <= {micro_batches}  # one update may be short
    assert 1 <= sizes[0] <= micro_batches
    for update in updates:
        for pairs in update:
            batch = collate(pairs)
            assert max(batch.source.numel(), batch.target_input.numel()) <= budget


def test_batches_are_filled_and_hold_pairs_of_like_length(tokenizer):
    chance = random.Random(1)
    lengths = [(n, max(1, n + chance.randint(-3, 3))) for n in (chance.randint(1, 28),) * 1000]
    lengths += [(chance.randint(1, 31), chance.randint(1, 31)) for _ in range(1000)]
    updates = sampler(tokenizer, lengths, budget=512).updates(0)
    targets = [collate(pairs).target_output for update in updates for pairs in update]
    filled = sum(int((t != PAD).sum()) for t in targets) / sum(t.numel() for t in targets)
    assert filled > 0.95


def test_an_epoch_is_the_same_again_and_another_one_or_seed_is_not(tokenizer):
    lengths = [(i % 30 + 1, i % 7 + 1) for i in range(80)]
    plan = sampler(tokenizer, lengths, share=0.5)
    assert plan.updates(2) == sampler(tokenizer, lengths, share=0.5).updates(2)
    assert plan.updates(2) != plan.updates(3)
    assert plan.updates(2) != sampler(tokenizer, lengths, share=0.5, seed=2).updates(2)


@pytest.mark.parametrize("world", [1, 2, 3, 5])
def test_any_number_of_processes_shares_the_same_work_out(world):
    shares = [list(Replicas(rank, world).share(7)) for rank in range(world)]
    assert sorted(index for share in shares for index in share) == list(range(7))


@pytest.mark.parametrize("stop", [0, 1, 4, 11, 12])
def test_a_plan_goes_on_where_it_was_left(tokenizer, stop):
    plan = sampler(tokenizer, [(i % 30 + 1, i % 7 + 1) for i in range(40)], share=0.3)
    whole = list(plan.plan(step=0, epoch=0, done=0, steps=12))
    assert [u.step for u in whole] == list(range(1, 13))
    assert whole[-1].epoch > 0
    if stop:
        at = whole[stop - 1]
        rest = list(plan.plan(step=at.step, epoch=at.epoch, done=at.number, steps=12))
    else:
        rest = list(plan.plan(step=0, epoch=0, done=0, steps=12))
    assert rest == whole[stop:]


def test_the_number_of_an_update_counts_up_to_those_of_its_epoch(tokenizer):
    plan = sampler(tokenizer, [(5, 5)] * 40, budget=64)
    updates = list(plan.plan(step=0, epoch=0, done=0, steps=10))
    size = updates[0].epoch_updates
    assert [u.number for u in updates[: size + 1]] == [*range(1, size + 1), 1]
    assert [u.epoch for u in updates[: size + 1]] == [0] * size + [1]


def test_augmentation_touches_about_its_share_and_never_makes_a_pair_too_long(tokenizer):
    lengths = [(3, 3)] * 400
    none = sampler(tokenizer, lengths, share=0.0)
    assert set(none._augmented(random.Random(1))) == set(none.tokens)
    # Augmented, the texts have three tokens or more.
    short = sampler(tokenizer, lengths, share=0.9, longest=2)
    assert short._augmented(random.Random(1)) == list(none.tokens)
    some = sampler(tokenizer, lengths, share=0.25)._augmented(random.Random(1))
    changed = sum(a != b for a, b in zip(some, none.tokens, strict=True))
    assert 70 <= changed <= 130  # 100 expected, standard deviation 9


def test_collate_shifts_the_target_by_one_and_pads_on_the_right():
    batch = collate([TokenPair((5, 6, 7), (8,)), TokenPair((5,), (8, 9))])
    assert batch.source.tolist() == [[5, 6, 7, EOS], [5, EOS, PAD, PAD]]
    assert batch.target_input.tolist() == [[BOS, 8, PAD], [BOS, 8, 9]]
    assert batch.target_output.tolist() == [[8, EOS, PAD], [8, 9, EOS]]
    assert batch.source.dtype == pad([[1]]).dtype == torch.int64
