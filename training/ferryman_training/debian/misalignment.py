"""Misaligned pairs: those whose words are no translations of each other.

A lexicon is learnt from all pairs (IBM model 1 with a prior for the diagonal, see `lexicon`). A
pair gains by how much likelier each side's words are given the other side than by themselves.
Where they gain little, one is no translation of the other. Of 172,762 pairs of English and French
0.3 % gain less than is asked for here; most of these are neighbours in an index or a list.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from ferryman_training.batching import TokenPair
from ferryman_training.corpus import SentencePair
from ferryman_training.lexicon import (
    SOURCE,
    TARGET,
    Direction,
    Lexicon,
    diagonal_prior,
    learn_lexicon,
)
from ferryman_training.parallel_tokens import Block, ParallelTokens

_VOCABULARY: Final = 1 << 14
"""Words of each side, and one for all that are rarer."""
_RARE: Final = 0
_LEAST_COUNT: Final = 4
"""Rarer words would be taken for translations of whatever they stand beside."""
_PASSES: Final = 4
_TENSION: Final = 4.0
_LEAST_GAIN: Final = 1.0
"""Nats a word, of the side that gains less. A pair that is right gains 3.4 in the median; it has
helped to learn the lexicon, so even one that is wrong gains something."""
_ENOUGH: Final = 10_000
"""Fewer pairs teach no lexicon."""
_WORD: Final = re.compile(r"\w+")
_FLOOR: Final = 1e-9


def misaligned(pairs: Sequence[SentencePair]) -> npt.NDArray[np.bool_]:
    """Return which pairs are misaligned, (N); none where there are too few to tell."""
    if len(pairs) < _ENOUGH:
        return np.zeros(len(pairs), dtype=np.bool_)
    tokens = _numbered(pairs)
    below: npt.NDArray[np.bool_] = _Scorer(tokens).gains(tokens) < _LEAST_GAIN
    return below


def _numbered(pairs: Sequence[SentencePair]) -> list[TokenPair]:
    """Return the words of every pair as numbers; a side without words has one that is rare."""
    sides = [[_WORD.findall(pair.source.casefold()) for pair in pairs]]
    sides.append([_WORD.findall(pair.target.casefold()) for pair in pairs])
    numbers = []
    for side in sides:
        counts = Counter(word for words in side for word in words)
        common = [w for w, n in counts.most_common(_VOCABULARY - 1) if n >= _LEAST_COUNT]
        known = {word: number for number, word in enumerate(common, start=_RARE + 1)}
        numbers.append([tuple(known.get(word, _RARE) for word in words) for words in side])
    return [TokenPair(s or (_RARE,), t or (_RARE,)) for s, t in zip(*numbers, strict=True)]


class _Scorer:
    """How well the words of a pair explain each other.

    Args:
        tokens: Of the corpus, to learn from.
    """

    def __init__(self, tokens: Sequence[TokenPair]) -> None:
        corpus = ParallelTokens.of(tokens)
        sides = corpus.source_ids, corpus.target_ids
        size = 1 + max(int(ids.max()) for ids in sides)
        self._lexicon: Lexicon = learn_lexicon(
            corpus, size, passes=_PASSES, tension=_TENSION, watch=lambda _: None
        )
        self._alone = [
            np.log(np.bincount(ids, minlength=size) / len(ids) + _FLOOR) for ids in sides
        ]

    def gains(self, tokens: Iterable[TokenPair]) -> npt.NDArray[np.float64]:
        """Return what each pair gains, in nats a word of the side that gains less."""
        return np.array([self._gain_of(pair) for pair in tokens])

    def _gain_of(self, pair: TokenPair) -> float:
        block = Block(np.array([pair.source]), np.array([pair.target]))
        index = self._lexicon.pairs.index(block.source, block.target)
        source_alone, target_alone = self._alone
        return min(
            self._gain(self._lexicon.to_target, index, block, target_alone[block.target]),
            self._gain(self._lexicon.to_source, index, block, source_alone[block.source]),
        )

    @staticmethod
    def _gain(
        direction: Direction,
        index: npt.NDArray[np.int64],
        block: Block,
        alone: npt.NDArray[np.float64],
    ) -> float:
        """Return how much likelier the words of a side are given the other, in nats a word.

        Args:
            direction: From the side that is given.
            index: The number of every pair of words.
            block: The pair.
            alone: Logarithm of how likely each word of the side is by itself.
        """
        shape = block.source.shape[1], block.target.shape[1]
        lengths = [np.array([length]) for length in shape]
        prior = diagonal_prior(
            lengths[SOURCE - 1],
            lengths[TARGET - 1],
            shape=shape,
            given=direction.given,
            tension=_TENSION,
        )
        links, null = direction.joint(index, block, prior)
        likelihood = np.maximum(links.sum(axis=direction.given) + null, _FLOOR)
        return float((np.log(likelihood) - alone).mean())
