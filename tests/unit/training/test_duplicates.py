"""Repeats are found among any number of hashes, part by part."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ferryman_training import duplicates
from ferryman_training.duplicates import repeated, text_hash


@given(st.lists(st.integers(0, 30) | st.integers(0, 2**64 - 1), max_size=60))
def test_all_but_the_first_of_equal_hashes_are_repeats(values):
    expected = [i for i, value in enumerate(values) if value in values[:i]]
    assert repeated(np.array(values, dtype=np.uint64)).tolist() == expected


@pytest.mark.parametrize(("block", "part"), [(7, 10), (1000, 3), (64, 1)])
def test_the_sizes_of_blocks_and_parts_change_nothing(monkeypatch, seed, block, part):
    hashes = np.random.default_rng(seed).integers(0, 200, 500).astype(np.uint64) << np.uint64(50)
    whole = repeated(hashes)
    assert len(whole) == 500 - len(np.unique(hashes))
    monkeypatch.setattr(duplicates, "_BLOCK", block)
    monkeypatch.setattr(duplicates, "_PART", part)
    assert np.array_equal(repeated(hashes), whole)


def test_texts_are_told_apart_but_not_by_spaces_at_their_ends():
    assert text_hash("a", "b") == text_hash(" a", "b ")
    assert len({text_hash("a", "b"), text_hash("ab"), text_hash("b", "a"), text_hash("a b")}) == 4
