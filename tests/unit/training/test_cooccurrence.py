"""Numbers of piece pairs, against a plain dictionary."""

from __future__ import annotations

import numpy as np
import pytest

from ferryman_training import cooccurrence
from ferryman_training.batching import TokenPair
from ferryman_training.cooccurrence import Cooccurrence
from ferryman_training.parallel_tokens import ParallelTokens

VOCABULARY = 150
"""More than two words of 64 bits a row, and no multiple of 64."""


def random_pairs(seed: int, *, count: int = 40, pieces: int = VOCABULARY) -> list[TokenPair]:
    generator = np.random.default_rng(seed)
    lengths = generator.integers(1, 7, size=(count, 2))
    return [
        TokenPair(*(tuple(generator.integers(4, pieces, size=n).tolist()) for n in both))
        for both in lengths
    ]


def numbered(pairs: list[TokenPair], vocabulary: int) -> dict[tuple[int, int], int]:
    met = {(s, t) for pair in pairs for s in pair.source for t in pair.target}
    present = {piece for pair in pairs for piece in (*pair.source, *pair.target)}
    met |= {(piece, piece) for piece in set(range(vocabulary)) - present}
    return {pair: number for number, pair in enumerate(sorted(met))}


@pytest.mark.parametrize("stripe_bytes", [1 << 28, 192 * 7])
def test_every_pair_has_the_number_of_its_place_in_order(seed, monkeypatch, stripe_bytes):
    monkeypatch.setattr(cooccurrence, "_STRIPE_BYTES", stripe_bytes)
    pairs = random_pairs(seed)
    expected = numbered(pairs, VOCABULARY)
    found = Cooccurrence.of(ParallelTokens.of(pairs), VOCABULARY)
    every = np.arange(VOCABULARY, dtype=np.int32)[None]
    index = found.index(every, every)[0]
    assert len(found) == len(expected)
    for s in range(VOCABULARY):
        for t in range(VOCABULARY):
            assert index[s, t] == expected.get((s, t), len(expected))
    assert list(zip(found.sources.tolist(), found.targets.tolist(), strict=True)) == list(expected)


def test_chosen_pairs_are_numbered_anew(seed):
    found = Cooccurrence.of(ParallelTokens.of(random_pairs(seed)), VOCABULARY)
    chosen = np.random.default_rng(seed).random(len(found)) < 0.3
    fewer = found.only(chosen)
    assert fewer.targets.tolist() == found.targets[chosen].tolist()
    assert fewer.sources.tolist() == found.sources[chosen].tolist()
    number = np.arange(len(fewer))
    index = [
        fewer.index(np.array([[s]]), np.array([[t]])).item()
        for s, t in zip(fewer.sources, fewer.targets, strict=True)
    ]
    assert index == number.tolist()


def test_blocks_hold_every_pair_once_in_equal_lengths(seed):
    pairs = random_pairs(seed, count=200)
    blocks = list(ParallelTokens.of([*pairs, TokenPair((), (5,))]).blocks())
    rows = [
        (tuple(s), tuple(t))
        for block in blocks
        for s, t in zip(block.source.tolist(), block.target.tolist(), strict=True)
    ]
    assert sorted(rows) == sorted((pair.source, pair.target) for pair in pairs)
    shapes = [(block.source.shape[1], block.target.shape[1]) for block in blocks]
    assert shapes == sorted(set(shapes))
