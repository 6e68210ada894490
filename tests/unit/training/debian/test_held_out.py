"""Nothing that is held out is trained on."""

from __future__ import annotations

import random

import pytest

from ferryman_training.corpus import SentencePair
from ferryman_training.debian.cleaning import key
from ferryman_training.debian.held_out import FoundPair, hold_out

WORDS = [chr(97 + i) + chr(97 + j) for i in range(26) for j in range(26)]


def sentence(chance: random.Random, length: int) -> str:
    return " ".join(chance.choices(WORDS, k=length)).capitalize() + "."


def found(seed: int, count: int = 400) -> list[FoundPair]:
    chance = random.Random(seed)
    return [
        FoundPair(
            SentencePair(sentence(chance, 9), sentence(chance, 10)),
            f"source{i % 3}",
            f"doc{i}",
            interface=i % 3 == 0,
        )
        for i in range(count)
    ]


def test_the_parts_are_of_the_size_asked_for_and_share_nothing(seed):
    items = found(seed)
    parts = hold_out(items, size=50, seed=1)
    assert (len(parts.valid), len(parts.test), len(parts.train)) == (50, 50, 300)
    assert sorted(i.document for i in [*parts.train, *parts.valid, *parts.test]) == sorted(
        i.document for i in items
    )
    assert not any(item.interface for item in [*parts.valid, *parts.test])


def test_a_seed_decides_and_the_order_of_training_pairs_stays(seed):
    items = found(seed)
    first, again, other = (hold_out(items, size=20, seed=s) for s in (1, 1, 2))
    assert first == again != other
    assert first.train == [item for item in items if item in first.train]


def test_a_target_that_stands_elsewhere_is_not_held_out(seed):
    items = found(seed)
    copies = [
        FoundPair(
            SentencePair(item.pair.source + " again", item.pair.target.upper() + "!"),
            "source1", "copy", interface=False,
        )
        for item in items[::2]
    ]  # fmt: skip
    parts = hold_out([*items, *copies], size=100, seed=1)
    trained = {key(item.pair.target) for item in parts.train}
    assert not trained & {key(item.pair.target) for item in [*parts.valid, *parts.test]}


def test_a_sentence_mostly_made_of_common_sequences_is_not_held_out(seed):
    chance = random.Random(seed)
    phrase = sentence(chance, 8).rstrip(".")
    items = [
        FoundPair(
            SentencePair(f"{phrase} {w}.", sentence(chance, 9)), "s", f"common{i}", interface=False
        )
        for i, w in enumerate(WORDS[:200])
    ]
    parts = hold_out([*items, *found(seed)], size=200, seed=1)
    held = [*parts.valid, *parts.test]
    assert held
    assert not [item for item in held if item.document.startswith("common")]


@pytest.mark.parametrize(
    "source",
    ["Only five words are here.", "no capital at the beginning of it.", "No stop at the end of it"],
)
def test_only_whole_sentences_are_held_out(source, seed):
    items = [
        FoundPair(SentencePair(source, sentence(random.Random(seed), 9)), "s", "d", interface=False)
    ]
    parts = hold_out(items, size=1, seed=1)
    assert parts.train == items
