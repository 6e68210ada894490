"""Which block of a document is the translation of which, and which sentence in it.

Blocks that have names are joined by them. Other documents have the same structure in both languages
for the most part, so blocks are aligned in order, by kind, length and digits: the length-based
alignment of Gale and Church 1993 (https://aclanthology.org/J93-1004), with blocks for sentences and
no merges. What is uncertain is left out, since there is more text than anybody needs.

Dimension key:
    S: source blocks    T: target blocks
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import sentencex

from ferryman_training.corpus import SentencePair
from ferryman_training.debian.block import Block
from ferryman_training.filters import same_numbers

_DIGITS: Final = re.compile(r"\d+")
_GAP: Final = 2.5
"""Cost of a block without a counterpart."""
_OTHER_DIGITS: Final = 3.0
"""Cost of a pair whose digits differ."""
_EXPANSION: Final = 0.12
"""Mean logarithm of the length of a translation from English over that of its source."""
_SPREAD: Final = 0.3
"""Standard deviation of the same, for texts of about fifty characters."""
_UNLIKELY: Final = 2.4
"""Greatest cost of a pair that is kept."""
_MOST_CELLS: Final = 16_000_000
"""Of the table of alignments; a longer document is left out."""
_MOST_APART: Final = 2.5
"""Times that one sentence may be as long as the other, in characters."""


def pairs_of(
    source: Sequence[Block], target: Sequence[Block], language: str
) -> Iterator[SentencePair]:
    """Yield the sentence pairs of a document and its translation.

    Args:
        source: Blocks of the English document.
        target: Blocks of the translation.
        language: Its ISO 639-1 code.
    """
    for one, other in align(source, target):
        yield from split(SentencePair(one.text, other.text), language)


def align(source: Sequence[Block], target: Sequence[Block]) -> list[tuple[Block, Block]]:
    """Return the blocks that are translations of each other, in order."""
    named = _by_name(source, target)
    if named is not None:
        return named
    if [block.tag for block in source] == [block.tag for block in target]:
        return list(zip(source, target, strict=True))
    if len(source) * len(target) > _MOST_CELLS or not source or not target:
        return []
    costs = _costs(source, target)
    return [(source[i], target[j]) for i, j in _cheapest_path(costs) if costs[i, j] <= _UNLIKELY]


def split(pair: SentencePair, language: str) -> list[SentencePair]:
    """Return a pair cut into sentences where both sides have as many and these fit, or whole."""
    sources = [s for s in map(str.strip, sentencex.segment("en", pair.source)) if s]
    targets = [t for t in map(str.strip, sentencex.segment(language, pair.target)) if t]
    if len(sources) != len(targets) or len(sources) < 2:
        return [pair]
    cut = [SentencePair(s, t) for s, t in zip(sources, targets, strict=True)]
    return cut if all(map(_fits, cut)) else [pair]


def _fits(pair: SentencePair) -> bool:
    shorter, longer = sorted((len(pair.source), len(pair.target)))
    return longer <= _MOST_APART * shorter + 10 and same_numbers(pair)


def _by_name(source: Sequence[Block], target: Sequence[Block]) -> list[tuple[Block, Block]] | None:
    """Join blocks by name where most of them have one."""
    names = Counter(block.name for block in source if block.name is not None)
    if 2 * sum(names.values()) < len(source) or not source:
        return None
    others = {block.name: block for block in target if block.name}
    return [
        (block, others[block.name])
        for block in source
        if block.name is not None
        and names[block.name] == 1
        and block.name in others
        and block.tag == others[block.name].tag
    ]


def _costs(source: Sequence[Block], target: Sequence[Block]) -> npt.NDArray[np.float64]:
    """Return how unlikely each pair of blocks is, (S, T): standard deviations of its length."""
    lengths = [np.log([max(1, len(b.text)) for b in blocks]) for blocks in (source, target)]
    shorter = np.exp(np.minimum(lengths[0][:, None], lengths[1][None, :]))
    # Short texts vary more in length.
    spread = _SPREAD * np.maximum(1.0, np.sqrt(50 / shorter))
    costs = np.abs(lengths[1][None, :] - lengths[0][:, None] - _EXPANSION) / spread
    digits = [
        [tuple(sorted(_DIGITS.findall(b.text))) for b in blocks] for blocks in (source, target)
    ]
    for kinds, cost in (
        (digits, _OTHER_DIGITS),
        ([[block.tag for block in blocks] for blocks in (source, target)], math.inf),
    ):
        numbers: dict[object, int] = {}
        codes = [np.array([numbers.setdefault(k, len(numbers)) for k in side]) for side in kinds]
        costs[codes[0][:, None] != codes[1][None, :]] += cost
    return costs


def _cheapest_path(costs: npt.NDArray[np.float64]) -> list[tuple[int, int]]:
    """Return the pairs of the cheapest alignment in order, found by dynamic programming.

    Args:
        costs: Of every pair, (S, T).
    """
    rows, columns = costs.shape
    gaps = np.arange(columns + 1) * _GAP
    total = np.empty((rows + 1, columns + 1))
    total[0] = gaps
    for i in range(rows):
        best = total[i] + _GAP
        best[1:] = np.minimum(best[1:], total[i, :-1] + costs[i])
        # Gaps along the row: the least of what is left of it, plus their cost.
        total[i + 1] = np.minimum.accumulate(best - gaps) + gaps
    path: list[tuple[int, int]] = []
    i, j = rows, columns
    while i and j:
        if math.isclose(total[i, j], total[i - 1, j - 1] + costs[i - 1, j - 1]):
            i, j = i - 1, j - 1
            path.append((i, j))
        elif math.isclose(total[i, j], total[i - 1, j] + _GAP):
            i -= 1
        else:
            j -= 1
    return path[::-1]
