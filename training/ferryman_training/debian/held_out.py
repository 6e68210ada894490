"""Which pairs are held out to validate and to test with, so that nothing of them is trained on.

They are whole sentences from documents. No source and no target of them, case, digits and
punctuation aside, stands anywhere else, and most of their word sequences do not either.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from ferryman_training.corpus import SentencePair
from ferryman_training.debian.cleaning import key
from ferryman_training.duplicates import text_hash

_FEWEST, _MOST = 6, 50
"""Words of a side."""
_SHARED: Final = 0.3
"""Greatest share of the 5-grams of a source that stand in other sources too."""
_N: Final = 5
_SENTENCE: Final = re.compile(r"^[\"'“«(¿¡]*\s?[^\W\d_].*[.!?…][\"'”»)]*$")


@dataclass(frozen=True, slots=True)
class FoundPair:
    """A pair with where it is from."""

    pair: SentencePair
    source: str
    """Name of a source."""
    document: str
    interface: bool


@dataclass(frozen=True, slots=True)
class Parts:
    """A corpus in three parts."""

    train: list[FoundPair]
    valid: list[FoundPair]
    test: list[FoundPair]


def hold_out(found: Sequence[FoundPair], *, size: int, seed: int) -> Parts:
    """Divide a corpus.

    Args:
        found: All pairs; no two have the same source but for case, digits and punctuation.
        size: Pairs to validate and to test with, each; fewer where there are not enough.
        seed: Decides which.
    """
    targets = Counter(text_hash(key(item.pair.target)) for item in found)
    common = _common_ngrams(found)
    order = list(range(len(found)))
    random.Random(seed).shuffle(order)
    chosen: list[int] = []
    for index in order:
        if len(chosen) == 2 * size:
            break
        item = found[index]
        alone = targets[text_hash(key(item.pair.target))] == 1
        if alone and _is_sentence(item) and _is_new(item.pair.source, common):
            chosen.append(index)
    half = len(chosen) // 2
    held = set(chosen)
    return Parts(
        train=[item for index, item in enumerate(found) if index not in held],
        valid=[found[index] for index in chosen[:half]],
        test=[found[index] for index in chosen[half:]],
    )


def _is_sentence(item: FoundPair) -> bool:
    sides = item.pair.source, item.pair.target
    return (
        not item.interface
        and all(_FEWEST <= len(side.split()) <= _MOST for side in sides)
        and all(_SENTENCE.match(side) for side in sides)
        and sides[0][0].islower() is False
    )


def _ngrams(text: str) -> list[int]:
    words = key(text).split()
    return [text_hash(*words[i : i + _N]) for i in range(len(words) - _N + 1)]


def _common_ngrams(found: Sequence[FoundPair]) -> frozenset[int]:
    """Return the n-grams that stand in more than one source."""
    grams = np.fromiter(
        (gram for item in found for gram in set(_ngrams(item.pair.source))), dtype=np.uint64
    )
    values, counts = np.unique(grams, return_counts=True)
    return frozenset(values[counts > 1].tolist())


def _is_new(text: str, common: frozenset[int]) -> bool:
    grams = _ngrams(text)
    return sum(gram in common for gram in grams) <= _SHARED * len(grams)
