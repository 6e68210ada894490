"""Learnt shortlists, against a sort of all pairs."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from ferryman_bundle.tokenizer import EOS
from ferryman_training.batching import TokenPair
from ferryman_training.lexicon import learn_lexicon
from ferryman_training.parallel_tokens import ParallelTokens
from ferryman_training.shortlist import coverage, learn_shortlist

VOCABULARY = 40
BEST, FREQUENT = 3, 4


@pytest.fixture(scope="module")
def pairs(seed) -> list[TokenPair]:
    generator = np.random.default_rng(seed)
    return [
        TokenPair(*(tuple(generator.integers(4, 30, size=n).tolist()) for n in both))
        for both in generator.integers(1, 6, size=(40, 2))
    ]


@pytest.fixture(scope="module")
def learnt(pairs):
    corpus = ParallelTokens.of(pairs)
    lexicon = learn_lexicon(corpus, VOCABULARY, passes=3, tension=4.0, watch=lambda _: None)
    return lexicon, learn_shortlist(lexicon, corpus, best=BEST, frequent=FREQUENT)


def expected_lists(pairs: list[TokenPair], lexicon) -> tuple[set[int], dict[int, set[int]]]:
    counts = Counter(t for pair in pairs for t in pair.target)
    always = {EOS, *sorted(counts, key=lambda t: (-counts[t], t))[:FREQUENT]}
    lists = {}
    for s in range(VOCABULARY):
        part = slice(lexicon.pairs.offsets[s], lexicon.pairs.offsets[s + 1])
        entries = sorted(
            zip(-lexicon.to_target.table[part], lexicon.pairs.targets[part], strict=True)
        )
        lists[s] = {s, *(int(t) for _, t in entries[:BEST])} - always
    return always, lists


def test_a_source_piece_calls_for_its_likeliest_translations_and_itself(pairs, learnt):
    lexicon, shortlist = learnt
    always, lists = expected_lists(pairs, lexicon)
    assert shortlist.always.tolist() == sorted(always)
    for s in range(VOCABULARY):
        assert shortlist.candidates([s]).tolist() == sorted(always | lists[s])
    assert len(shortlist.targets) == sum(map(len, lists.values()))


def test_coverage_is_the_share_of_target_tokens_in_their_lists(pairs, learnt):
    lexicon, shortlist = learnt
    always, lists = expected_lists(pairs, lexicon)
    inside = [
        t in always.union(*(lists[s] for s in pair.source))
        for pair in pairs
        for t in (*pair.target, EOS)
    ]
    assert 0.5 < np.mean(inside) < 1
    assert coverage(shortlist, ParallelTokens.of(pairs)) == pytest.approx(np.mean(inside))


def test_special_pieces_other_than_the_end_are_in_no_list(learnt):
    _, shortlist = learnt
    for source in range(4, VOCABULARY):
        assert not {0, 1, 2} & set(shortlist.candidates([source]).tolist())
