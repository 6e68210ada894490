"""Token ids of many sentence pairs in flat arrays, and blocks of equal lengths out of them.

Dimension key:
    N: sentence pairs    B: pairs of a block    S: source tokens    T: target tokens
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from ferryman_training.batching import TokenPair

Ids: TypeAlias = npt.NDArray[np.int32]
Offsets: TypeAlias = npt.NDArray[np.int64]

_CELLS = 1 << 17
"""Pairs of a source and a target token in one block; its arrays fit a core's cache."""


@dataclass(frozen=True, slots=True)
class Block:
    """Sentence pairs whose sources have one length and whose targets have one length."""

    source: Ids
    """(B, S)."""
    target: Ids
    """(B, T)."""


@dataclass(frozen=True, slots=True)
class ParallelTokens:
    """Sentence pairs as ids without start and end: pair n is ``ids[offsets[n]:offsets[n + 1]]``."""

    source_ids: Ids
    source_offsets: Offsets
    """(N + 1,)."""
    target_ids: Ids
    target_offsets: Offsets
    """(N + 1,)."""

    @classmethod
    def of(cls, pairs: Iterable[TokenPair]) -> ParallelTokens:
        """Flatten token pairs; those with a side without tokens, which teach nothing, are left out.

        Args:
            pairs: Read once, so an iterator over a large corpus will do.
        """
        sources, targets = _Flat(), _Flat()
        for pair in pairs:
            if pair.source and pair.target:
                sources.append(pair.source)
                targets.append(pair.target)
        return cls(*sources.arrays(), *targets.arrays())

    def __len__(self) -> int:
        return len(self.source_offsets) - 1

    @property
    def source_tokens(self) -> int:
        """Tokens of all sources."""
        return int(self.source_offsets[-1])

    @property
    def target_tokens(self) -> int:
        """Tokens of all targets."""
        return int(self.target_offsets[-1])

    def blocks(self) -> Iterator[Block]:
        """Yield all pairs, those of equal lengths together, in an order that depends on nothing."""
        source_lengths = np.diff(self.source_offsets)
        target_lengths = np.diff(self.target_offsets)
        order = np.lexsort((target_lengths, source_lengths))
        shapes = np.stack([source_lengths[order], target_lengths[order]], axis=1)
        changes = np.flatnonzero(np.any(np.diff(shapes, axis=0), axis=1)) + 1
        for group in np.split(order, changes):
            if not len(group):
                continue
            source_length, target_length = source_lengths[group[0]], target_lengths[group[0]]
            size = max(1, _CELLS // int(source_length * target_length))
            for start in range(0, len(group), size):
                rows = group[start : start + size]
                yield Block(
                    _rows(self.source_ids, self.source_offsets[rows], source_length),
                    _rows(self.target_ids, self.target_offsets[rows], target_length),
                )


class _Flat:
    """Sequences that are appended to one array, which grows by doubling."""

    def __init__(self) -> None:
        self._ids = np.empty(1024, dtype=np.int32)
        self._ends = [0]

    def append(self, sequence: tuple[int, ...]) -> None:
        """Take one sequence in."""
        start = self._ends[-1]
        end = start + len(sequence)
        if end > len(self._ids):
            self._ids = np.resize(self._ids, max(end, 2 * len(self._ids)))
        self._ids[start:end] = sequence
        self._ends.append(end)

    def arrays(self) -> tuple[Ids, Offsets]:
        """Return the ids and the offsets."""
        return self._ids[: self._ends[-1]].copy(), np.array(self._ends, dtype=np.int64)


def _rows(ids: Ids, starts: Offsets, length: np.int64) -> Ids:
    """(B,) offsets -> (B, length) ids."""
    rows: Ids = ids[starts[:, None] + np.arange(length)]
    return rows
