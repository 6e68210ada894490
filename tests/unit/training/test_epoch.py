"""The plan of an epoch: complete, within its budget, and the same for everybody."""

from __future__ import annotations

import random
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ferryman_bundle.tokenizer import PAD
from ferryman_training.batching import TokenPair, collate
from ferryman_training.epoch import EpochPlan, cut, draw
from ferryman_training.filters import DropReport
from ferryman_training.token_store import TokenStore
from ferryman_training.variation import VariedPairs


def store(lengths) -> TokenStore:
    """Pairs of given lengths; the ids tell them apart."""
    ids = [10 + i for i, (source, target) in enumerate(lengths) for _ in range(source + target)]
    return TokenStore(
        ids=np.array(ids, dtype=np.uint16),
        starts=np.cumsum([0, *map(sum, lengths)]),
        source_lengths=np.array([source for source, _ in lengths], dtype=np.uint16),
        target_lengths=np.array([target for _, target in lengths], dtype=np.uint16),
        rows=np.arange(len(lengths)),
        part_ends=(len(lengths),),
        report=DropReport(),
    )


def plan(tokens, *, draws=None, varied=None, budget=64, micro_batches=3, seed=1) -> EpochPlan:
    return EpochPlan.make(
        tokens,
        np.arange(len(tokens)) if draws is None else np.array(draws),
        varied,
        batch_tokens=budget,
        micro_batches=micro_batches,
        chance=np.random.default_rng(seed),
    )


def updates(epoch: EpochPlan) -> list[list[list[TokenPair]]]:
    return [list(epoch.update(i)) for i in range(len(epoch))]


def greedy_cut(longest: list[int], budget: int) -> list[int]:
    """The rule of `cut`, a pair at a time."""
    bounds, size, widest = [0], 0, 0
    for i, side in enumerate(longest):
        if size and max(widest, side) * (size + 1) > budget:
            bounds.append(i)
            size, widest = 0, 0
        size, widest = size + 1, max(widest, side)
    return [*bounds, len(longest)]


corpora = st.lists(st.tuples(st.integers(1, 31), st.integers(1, 31)), min_size=1, max_size=60)


@given(corpora, st.integers(32, 200), st.integers(1, 4), st.integers(0, 3))
def test_every_pair_comes_exactly_once_within_the_budget(lengths, budget, micro_batches, seed):
    tokens = store(lengths)
    found = updates(plan(tokens, budget=budget, micro_batches=micro_batches, seed=seed))
    assert Counter(p for u in found for b in u for p in b) == Counter(tokens)
    sizes = sorted(len(update) for update in found)
    assert set(sizes[1:]) <= {micro_batches}  # one update may be short
    assert 1 <= sizes[0] <= micro_batches
    for pairs in (pairs for update in found for pairs in update):
        batch = collate(pairs)
        assert max(batch.source.numel(), batch.target_input.numel()) <= budget


@given(st.lists(st.integers(2, 40), min_size=1, max_size=80), st.integers(10, 200))
def test_the_cut_is_that_of_the_rule_a_pair_at_a_time(longest, budget):
    assert cut(np.array(longest, dtype=np.uint16), budget).tolist() == greedy_cut(longest, budget)


def test_batches_are_filled_and_hold_pairs_of_like_length(seed):
    chance = random.Random(seed)
    lengths = [(n, max(1, n + chance.randint(-3, 3))) for n in (chance.randint(1, 28),) * 1000]
    lengths += [(chance.randint(1, 31), chance.randint(1, 31)) for _ in range(1000)]
    found = updates(plan(store(lengths), budget=512))
    targets = [collate(pairs).target_output for update in found for pairs in update]
    filled = sum(int((t != PAD).sum()) for t in targets) / sum(t.numel() for t in targets)
    assert filled > 0.95


def test_chance_orders_the_updates_and_the_pairs_of_equal_length():
    tokens = store([(5, 5)] * 60 + [(9, 9)] * 60)
    first, again, other = (updates(plan(tokens, seed=seed)) for seed in (1, 1, 2))
    assert first == again != other
    batches = [set(batch) for update in first for batch in update]
    assert not [b for b in batches if b in [set(b) for update in other for b in update]]
    widths = [len(update[0][0].target) for update in first]
    assert widths not in (sorted(widths), sorted(widths, reverse=True))


def test_micro_batches_are_read_when_they_are_asked_for():
    tokens = store([(i % 9 + 1, i % 7 + 1) for i in range(60)])
    epoch = plan(tokens)
    first = next(i for i in range(len(epoch)) if len(epoch.update(i)) == 3)
    batches = epoch.update(first)
    assert len(batches) == 3
    assert [batches[i] for i in range(3)] == list(batches) == batches[:]
    with pytest.raises(IndexError):
        batches[3]


def test_a_pair_that_is_drawn_twice_comes_twice():
    tokens = store([(3, 3), (4, 4), (5, 5)])
    found = updates(plan(tokens, draws=[0, 1, 2, 1]))
    assert Counter(p for u in found for b in u for p in b) == Counter([*tokens, tokens[1]])


def test_varied_pairs_take_the_place_of_those_of_the_corpus_and_count_in_their_length():
    tokens = store([(3, 3)] * 8)
    varied = VariedPairs(
        places=np.array([2, 5]),
        ids=np.array([7] * 30 + [8] * 2, dtype=np.uint16),
        starts=np.array([0, 30, 32]),
        source_lengths=np.array([14, 1], dtype=np.uint16),
    )
    assert varied.target_lengths.tolist() == [16, 1]
    found = updates(plan(tokens, varied=varied, budget=17, micro_batches=1))
    expected = [tokens[i] for i in (0, 1, 3, 4, 6, 7)]
    expected += [TokenPair((7,) * 14, (7,) * 16), TokenPair((8,), (8,))]
    assert Counter(p for u in found for b in u for p in b) == Counter(expected)
    assert [(7,) * 14] in [[pair.source for pair in batch] for [batch] in found]


@given(
    st.lists(st.tuples(st.integers(0, 30), st.floats(0.05, 4)), min_size=1, max_size=4),
    st.integers(0, 9),
)
def test_each_part_is_drawn_by_its_weight(parts, seed):
    ends = np.cumsum([size for size, _ in parts]).tolist()
    weights = [weight for _, weight in parts]
    drawn = draw(ends, weights, np.random.default_rng(seed))
    start = 0
    for end, (size, weight) in zip(ends, parts, strict=True):
        counts = Counter(i for i in drawn.tolist() if start <= i < end)
        whole, share = divmod(weight, 1.0)
        assert set(counts.values()) <= {int(whole), int(whole) + 1}
        expected = int(whole) * size + round(share * size)
        assert sum(counts.values()) == (expected if whole else min(size, max(1, expected)))
        start = end
    assert len(drawn) == sum(1 for i in drawn if i < ends[-1])


def test_a_share_of_a_part_is_another_one_in_another_epoch():
    first, second = (draw([100], [0.5], np.random.default_rng(seed)).tolist() for seed in (1, 2))
    assert len(first) == len(second) == 50
    assert first != second


def test_lengths_up_to_the_greatest_allowed_do_not_overflow():
    tokens = store([(65_534, 1), (1, 65_534), (1, 1)])
    found = updates(plan(tokens, budget=65_535, micro_batches=1))
    assert sorted(len(batch) for [batch] in found) == [1, 1, 1]
