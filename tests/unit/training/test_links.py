"""Word links: known sentences, and symmetrisation against its pseudo-code."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from ferryman_bundle.tokenizer import BOS, EOS, PAD
from ferryman_training.batching import TokenPair
from ferryman_training.lexicon import learn_lexicon
from ferryman_training.links import DirectedLinks, WordLinker
from ferryman_training.parallel_tokens import ParallelTokens

SHIFT = 40
"""In the corpus of these tests piece x is translated by piece x + SHIFT, in reverse order."""
VOCABULARY = 90


def reversed_pairs(count: int, *, seed: int) -> list[TokenPair]:
    generator = np.random.default_rng(seed)
    sources = [generator.permutation(30)[: generator.integers(2, 7)] + 4 for _ in range(count)]
    return [TokenPair(tuple(s.tolist()), tuple((s[::-1] + SHIFT).tolist())) for s in sources]


@pytest.fixture(scope="module")
def linker(seed) -> WordLinker:
    corpus = ParallelTokens.of(reversed_pairs(400, seed=seed))
    lexicon = learn_lexicon(corpus, VOCABULARY, passes=8, tension=0.0, watch=lambda _: None)
    return WordLinker(lexicon, tension=0.0)


def row(*ids: int, length: int) -> list[int]:
    return [*ids, EOS, *[PAD] * (length - len(ids) - 1)]


def test_known_translations_are_linked(linker, seed):
    for pair in reversed_pairs(50, seed=seed + 1):
        links = linker.link(np.array([pair.source]), np.array([pair.target]))
        expected = np.eye(len(pair.source), dtype=bool)[:, ::-1]
        np.testing.assert_array_equal(links.intersection[0], expected)
        np.testing.assert_array_equal(links.grown()[0], expected)


def test_padding_start_and_end_are_linked_to_nothing_and_change_nothing(seed):
    pairs = reversed_pairs(400, seed=seed)
    lexicon = learn_lexicon(
        ParallelTokens.of(pairs), VOCABULARY, passes=3, tension=4.0, watch=lambda _: None
    )
    linker = WordLinker(lexicon, tension=4.0)
    some = pairs[:20]
    length = 9
    together = linker.link(
        np.array([row(*p.source, length=length) for p in some]),
        np.array([row(*p.target, length=length) for p in some]),
    )
    for n, pair in enumerate(some):
        alone = linker.link(np.array([pair.source]), np.array([pair.target]))
        for name in ("to_target", "to_source", "intersection"):
            expected = np.zeros((length, length), dtype=bool)
            expected[: len(pair.source), : len(pair.target)] = getattr(alone, name)[0]
            np.testing.assert_array_equal(getattr(together, name)[n], expected)


def test_an_unknown_word_is_linked_to_nothing(linker):
    links = linker.link(np.array([[4, 5]]), np.array([[4 + SHIFT, 39 + SHIFT]]))
    assert links.to_target[0, :, 1].sum() == 0


def test_a_placeholder_is_linked_to_itself(linker):
    placeholder = 85
    links = linker.link(np.array([[4, placeholder, 5]]), np.array([[placeholder, 5 + SHIFT]]))
    np.testing.assert_array_equal(links.intersection[0], [[0, 0], [1, 0], [0, 1]])


def test_equal_words_are_linked_in_order(seed):
    pairs = [TokenPair((4, *p.source), (4 + SHIFT, *p.target)) for p in reversed_pairs(60, seed=1)]
    corpus = ParallelTokens.of(pairs)
    lexicon = learn_lexicon(corpus, VOCABULARY, passes=5, tension=4.0, watch=lambda _: None)
    links = WordLinker(lexicon, tension=4.0).link(
        np.array([[4, 9, 4, 12]]), np.array([[4 + SHIFT, 9 + SHIFT, 4 + SHIFT, 12 + SHIFT]])
    )
    np.testing.assert_array_equal(links.intersection[0], np.eye(4, dtype=bool))


def test_a_token_has_one_link_of_each_direction_at_most(linker, seed):
    generator = np.random.default_rng(seed)
    source, target = (generator.integers(BOS, VOCABULARY, size=(50, n)) for n in (7, 5))
    links = linker.link(source, target)
    assert links.to_target.sum(axis=1).max() <= 1
    assert links.to_source.sum(axis=2).max() <= 1


def grow_diag(to_target: np.ndarray, to_source: np.ndarray) -> set[tuple[int, int]]:
    """GROW-DIAG of Koehn et al. 2005, figure 1, line by line."""
    neighbouring = [(-1, 0), (0, -1), (1, 0), (0, 1), (-1, -1), (-1, 1), (1, -1), (1, 1)]
    e2f = set(zip(*np.nonzero(to_target), strict=True))
    f2e = set(zip(*np.nonzero(to_source), strict=True))
    alignment = e2f & f2e
    while True:
        added = False
        for e, f in itertools.product(*map(range, to_target.shape)):
            if (e, f) not in alignment:
                continue
            for de, df in neighbouring:
                new = (e + de, f + df)
                unaligned = all(a != new[0] for a, _ in alignment) or all(
                    b != new[1] for _, b in alignment
                )
                if unaligned and new in e2f | f2e and new not in alignment:
                    alignment.add(new)
                    added = True
        if not added:
            return alignment


def test_growing_is_grow_diag(seed):
    generator = np.random.default_rng(seed)
    to_target, to_source = generator.random(size=(2, 200, 5, 6)) < 0.3
    grown = DirectedLinks(to_target, to_source).grown()
    assert (grown & ~(to_target & to_source)).any()
    for n, links in enumerate(grown):
        assert set(zip(*np.nonzero(links), strict=True)) == grow_diag(to_target[n], to_source[n])
