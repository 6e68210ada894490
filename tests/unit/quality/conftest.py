"""Two systems that translate a hundred sentences, one of them worse."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

SAMPLE = Path(__file__).parents[2] / "data" / "sample.en-fr.tsv"


@dataclass(frozen=True)
class TestSet:
    """References, and what systems made of the same sources."""

    __test__ = False  # no class of tests, in spite of its name

    references: list[str]
    good: list[str]
    bad: list[str]


def garble(text: str, share: float, draw: random.Random) -> str:
    """Drop, double or turn around some of the words of a text."""
    words = []
    for word in text.split():
        if draw.random() >= share:
            words.append(word)
        elif draw.random() < 0.6:
            words += draw.choice([[], [word, word], [word[::-1]]])
    return " ".join(words)


@pytest.fixture(scope="session")
def make_test_set(seed: int) -> Callable[..., TestSet]:
    """Make a test set of real sentences and garbled ones."""
    lines = SAMPLE.read_text("utf-8").splitlines()

    def make(count: int, *, good: float = 0.2, bad: float = 0.3, offset: int = 0) -> TestSet:
        draw = random.Random(seed + offset)
        references = [line.split("\t")[1] for line in draw.sample(lines, count)]
        return TestSet(
            references,
            [garble(text, good, draw) for text in references],
            [garble(text, bad, draw) for text in references],
        )

    return make


@pytest.fixture(scope="session")
def test_set(make_test_set) -> TestSet:
    return make_test_set(100)
