"""Shortlists: their sets, and that nothing but a shortlist is read as one."""

from __future__ import annotations

import numpy as np
import pytest
import safetensors.numpy

from ferryman_bundle import BundleError
from ferryman_bundle.lexical_shortlist import LexicalShortlist

LISTS = {0: [], 1: [4, 9], 2: [1], 3: [], 4: [0, 4, 7], 5: [9]}
ALWAYS = [3, 5]
VOCABULARY = 10


@pytest.fixture
def shortlist() -> LexicalShortlist:
    lists = [LISTS.get(s, []) for s in range(VOCABULARY)]
    return LexicalShortlist(
        always=np.int32(ALWAYS),
        offsets=np.cumsum([0, *map(len, lists)], dtype=np.int32),
        targets=np.int32([t for targets in lists for t in targets]),
    )


@pytest.mark.parametrize("source", [[], [0], [1], [4, 1, 4, 5], [2, 9, 3]])
def test_the_candidates_are_the_union_of_the_lists_of_the_source(shortlist, source):
    expected = sorted({*ALWAYS, *(t for s in source for t in LISTS.get(s, []))})
    found = shortlist.candidates(source)
    assert found.dtype == np.int32
    assert found.tolist() == expected


def test_a_shortlist_is_read_as_it_was_written(shortlist):
    content = shortlist.pack()
    again = LexicalShortlist.unpack(content, vocabulary_size=VOCABULARY, file="x")
    assert again.pack() == content
    assert again.candidates([4, 1]).tolist() == shortlist.candidates([4, 1]).tolist()


def changed(shortlist: LexicalShortlist, **arrays: np.ndarray) -> bytes:
    whole = {"always": shortlist.always, "offsets": shortlist.offsets, "targets": shortlist.targets}
    return safetensors.numpy.save(whole | arrays)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"targets": np.int64([4, 9, 1, 0, 4, 7, 9])}, "rows of int32"),
        ({"always": np.int32([[3, 5]])}, "rows of int32"),
        ({"offsets": np.int32([0, 7])}, "is for 1 pieces, but there are 10"),
        ({"offsets": np.int32([0, 0, 2, 3, 3, 6, 7, 7, 7, 7, 8])}, "do not divide"),
        ({"offsets": np.int32([1, 1, 2, 3, 3, 6, 7, 7, 7, 7, 7])}, "do not divide"),
        ({"offsets": np.int32([0, 0, 2, 1, 3, 6, 7, 7, 7, 7, 7])}, "do not divide"),
        ({"targets": np.int32([4, 10, 1, 0, 4, 7, 9])}, "outside 0 to 9"),
        ({"always": np.int32([-1])}, "outside 0 to 9"),
        ({"more": np.int32([1])}, "holds more"),
    ],
)
def test_arrays_that_are_no_shortlist_are_refused(shortlist, arrays, message):
    with pytest.raises(BundleError, match=f"^lists: .*{message}"):
        LexicalShortlist.unpack(
            changed(shortlist, **arrays), vocabulary_size=VOCABULARY, file="lists"
        )


def test_bytes_that_are_no_shortlist_are_refused(shortlist):
    content = shortlist.pack()
    for bad in (b"", content[:-1], content[:20], safetensors.numpy.save({"always": np.int32([1])})):
        with pytest.raises(BundleError, match="is no shortlist"):
            LexicalShortlist.unpack(bad, vocabulary_size=VOCABULARY, file="lists")
