"""Pairs whose words are no translations of each other are found, and only these."""

from __future__ import annotations

import random

from ferryman_training.corpus import SentencePair
from ferryman_training.debian import misalignment
from ferryman_training.debian.misalignment import misaligned

WORDS = [chr(97 + i % 26) + chr(97 + i // 26) for i in range(120)]


def corpus(seed: int, count: int) -> list[SentencePair]:
    """Sentences whose translation is the same words written backwards."""
    chance = random.Random(seed)
    sources = [[*chance.choices(WORDS, k=chance.randint(4, 9)), f"name{i}"] for i in range(count)]
    return [SentencePair(" ".join(words), " ".join(w[::-1] for w in words)) for words in sources]


def test_targets_of_other_sources_are_found(seed, monkeypatch):
    monkeypatch.setattr(misalignment, "_ENOUGH", 1_000)
    pairs = corpus(seed, 2_000)
    wrong = range(0, 2_000, 20)
    for i in wrong:
        pairs[i] = SentencePair(pairs[i].source, pairs[i - 1].target)
    found = misaligned(pairs)
    assert found[wrong].mean() > 0.9
    found[wrong] = False
    assert found.mean() < 0.01


def test_too_few_pairs_teach_nothing_so_none_is_found(seed):
    assert not misaligned(corpus(seed, 100)).any()


def test_a_side_without_words_is_no_error(seed, monkeypatch):
    monkeypatch.setattr(misalignment, "_ENOUGH", 100)
    assert len(misaligned([*corpus(seed, 100), SentencePair("+", "-")])) == 101
