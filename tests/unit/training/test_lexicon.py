"""Translation probabilities, against the formulas of the paper spelt out pair by pair."""

from __future__ import annotations

import math
from collections import defaultdict

import numpy as np
import pytest

from ferryman_training.batching import TokenPair
from ferryman_training.lexicon import SOURCE, TARGET, Lexicon, diagonal_prior, learn_lexicon
from ferryman_training.parallel_tokens import ParallelTokens

SINGLE = {"rtol": 2e-5, "atol": 1e-7}
"""Probabilities are float32; a few passes add up a few roundings."""

NONE = -1
"""The empty word of the paper."""

VOCABULARY = 24


def random_pairs(seed: int) -> list[TokenPair]:
    generator = np.random.default_rng(seed)
    return [
        TokenPair(*(tuple(generator.integers(4, 16, size=n).tolist()) for n in both))
        for both in generator.integers(1, 6, size=(30, 2))
    ]


def link_prior(i: int, j: int, given: int, generated: int, tension: float) -> float:
    """The chance that token j of `generated` is linked to token i of `given`, both from 1."""
    if i == 0:
        return 1 / (given + 1)
    weights = [math.exp(-tension * abs(k / given - j / generated)) for k in range(1, given + 1)]
    return given / (given + 1) * weights[i - 1] / sum(weights)


def brute_force(
    sentences: list[tuple[tuple[int, ...], tuple[int, ...]]], passes: int, tension: float
) -> tuple[dict[tuple[int, int], float], float]:
    """Expectation maximisation of model 1, a token at a time.

    Returns the probability of each piece given each other or `NONE`, by (given, generated), and
    the perplexity before the last pass.
    """
    probability = defaultdict(lambda: 1 / VOCABULARY)
    for _ in range(passes):
        counts, totals, likelihood, tokens = defaultdict(float), defaultdict(float), 0.0, 0
        for given, generated in sentences:
            words = (NONE, *given)
            for j, token in enumerate(generated, start=1):
                joint = [
                    link_prior(i, j, len(given), len(generated), tension) * probability[word, token]
                    for i, word in enumerate(words)
                ]
                likelihood += math.log(sum(joint))
                tokens += 1
                for word, share in zip(words, joint, strict=True):
                    counts[word, token] += share / sum(joint)
                    totals[word] += share / sum(joint)
        probability = {key: count / totals[key[0]] for key, count in counts.items()}
        perplexity = math.exp(-likelihood / tokens)
    return probability, perplexity


def learn(pairs: list[TokenPair], *, passes: int, tension: float) -> tuple[Lexicon, list]:
    seen = []
    corpus = ParallelTokens.of(pairs)
    lexicon = learn_lexicon(corpus, VOCABULARY, passes=passes, tension=tension, watch=seen.append)
    return lexicon, seen


@pytest.mark.parametrize("tension", [0.0, 4.0])
def test_learning_is_expectation_maximisation_of_model_1(seed, tension):
    pairs = random_pairs(seed)
    lexicon, seen = learn(pairs, passes=4, tension=tension)
    keys = list(zip(lexicon.pairs.sources.tolist(), lexicon.pairs.targets.tolist(), strict=True))

    expected, perplexity = brute_force([(p.source, p.target) for p in pairs], 4, tension)
    assert seen[-1].target_perplexity == pytest.approx(perplexity, rel=1e-5)
    for number, key in enumerate(keys):
        if key in expected:
            np.testing.assert_allclose(lexicon.to_target.table[number], expected[key], **SINGLE)
    for piece in {t for p in pairs for t in p.target}:
        np.testing.assert_allclose(lexicon.to_target.null[piece], expected[NONE, piece], **SINGLE)

    expected, perplexity = brute_force([(p.target, p.source) for p in pairs], 4, tension)
    assert seen[-1].source_perplexity == pytest.approx(perplexity, rel=1e-5)
    for number, (s, t) in enumerate(keys):
        if (t, s) in expected:
            np.testing.assert_allclose(lexicon.to_source.table[number], expected[t, s], **SINGLE)
    for piece in {s for p in pairs for s in p.source}:
        np.testing.assert_allclose(lexicon.to_source.null[piece], expected[NONE, piece], **SINGLE)


def test_every_pass_makes_the_corpus_likelier(seed):
    _, seen = learn(random_pairs(seed), passes=8, tension=4.0)
    for perplexities in (
        [each.target_perplexity for each in seen],
        [each.source_perplexity for each in seen],
    ):
        assert perplexities[0] == pytest.approx(VOCABULARY, rel=1e-5)
        assert perplexities == sorted(perplexities, reverse=True)


def test_the_example_of_every_textbook_comes_out():
    """Koehn 2009, "Statistical Machine Translation", figure 4.3: das Haus, das Buch, ein Buch."""
    the, house, book, a = 4, 5, 6, 7
    das, haus, buch, ein = 8, 9, 10, 11
    pairs = [
        TokenPair((das, haus), (the, house)),
        TokenPair((das, buch), (the, book)),
        TokenPair((ein, buch), (a, book)),
    ]
    lexicon, _ = learn(pairs, passes=30, tension=0.0)
    index = lexicon.pairs.index(
        np.array([[das, haus, buch, ein]]), np.array([[the, house, book, a]])
    )
    found = lexicon.to_target.table[index[0]]
    assert found.argmax(axis=1).tolist() == [0, 1, 2, 3]
    assert found.max(axis=1).min() > 0.9


def test_the_same_corpus_gives_the_same_bits(seed):
    first, second = (learn(random_pairs(seed), passes=3, tension=4.0)[0] for _ in range(2))
    assert first.to_target.table.tobytes() == second.to_target.table.tobytes()
    assert first.to_source.null.tobytes() == second.to_source.null.tobytes()


def test_a_piece_that_the_corpus_has_not_is_its_own_translation(seed):
    lexicon, _ = learn(random_pairs(seed), passes=2, tension=0.0)
    strange = np.array([[VOCABULARY - 1]])
    index = lexicon.pairs.index(strange, strange)
    assert lexicon.to_target.table[index].item() == lexicon.to_source.table[index].item() == 1.0


def test_pruning_leaves_what_is_likely_either_way(seed):
    lexicon, _ = learn(random_pairs(seed), passes=4, tension=4.0)
    pruned = lexicon.pruned(0.05)
    every = np.arange(VOCABULARY, dtype=np.int32)[None]
    before, after = lexicon.pairs.index(every, every), pruned.pairs.index(every, every)
    likely = np.maximum(lexicon.to_target.table, lexicon.to_source.table)[before] >= 0.05
    assert 0 < len(pruned.pairs) < len(lexicon.pairs)
    for name in ("to_target", "to_source"):
        expected = np.where(likely, getattr(lexicon, name).table[before], 0)
        np.testing.assert_array_equal(getattr(pruned, name).table[after], expected)


@pytest.mark.parametrize("given", [SOURCE, TARGET])
def test_the_prior_sums_to_one_over_the_given_side(given):
    lengths = np.array([3, 5, 1]), np.array([4, 2, 6])
    prior = diagonal_prior(*lengths, shape=(6, 7), given=given, tension=4.0)
    total = prior.links.sum(axis=given) + prior.null
    generated = lengths[1 if given == SOURCE else 0]
    for row, length in zip(total, generated, strict=True):
        np.testing.assert_allclose(row[:length], 1, rtol=1e-6)
