"""Which source pieces ever stand in one sentence pair with which target pieces, numbered.

Dimension key:
    V: vocabulary    N: piece pairs    B: sentences    S: source tokens    T: target tokens
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from ferryman_training.parallel_tokens import Ids, Offsets, ParallelTokens

Indices: TypeAlias = npt.NDArray[np.int64]

_STRIPE_BYTES = 1 << 28
"""How much of the V x V table of bytes exists at a time."""
_WORD = 64


class Cooccurrence:
    """A number from 0 to N - 1 for every piece pair, in the order of source ids, then target ids.

    Looked up without a search: there is one bit for every pair that there could be, and for every
    64 bits the number of those set before them (Jacobson's rank). That is 3 V^2 / 16 bytes, 12 MiB
    for 8,192 pieces and 192 MiB for 32,768, and a tenth of the time of a binary search.

    Args:
        offsets: The targets of source piece s are ``targets[offsets[s]:offsets[s + 1]]``, (V + 1,).
        targets: Target ids, ascending within each source piece, (N,).
    """

    def __init__(self, offsets: Offsets, targets: Ids) -> None:
        self.offsets = offsets
        self.targets = targets
        size = len(offsets) - 1
        self._row = -(-size // _WORD)
        words = np.empty((size, self._row), dtype=np.uint64)
        for first, seen in _stripes(size):
            last = min(first + len(seen) - 1, size)
            part = slice(offsets[first], offsets[last])
            seen[self.sources[part] - first, targets[part]] = True
            packed = np.packbits(seen[: last - first], axis=1, bitorder="little")
            words[first:last] = packed.view("<u8")
        self._words = words.reshape(-1)
        counts = np.bitwise_count(self._words)
        self._before = np.cumsum(counts, dtype=np.int64).astype(np.int32) - counts

    @classmethod
    def of(cls, corpus: ParallelTokens, vocabulary_size: int) -> Cooccurrence:
        """Find the pairs of a corpus; a piece that it does not have is paired with itself.

        Augmentation makes such pieces: they stand for the same text on both sides.
        """
        itself = np.ones(vocabulary_size, dtype=bool)
        itself[corpus.source_ids] = False
        itself[corpus.target_ids] = False
        targets, counts = [], []
        for first, seen in _stripes(vocabulary_size):
            last = min(first + len(seen) - 1, vocabulary_size)
            for block in corpus.blocks():
                rows = np.where(
                    (block.source >= first) & (block.source < last),
                    block.source - first,
                    len(seen) - 1,  # a row of its own for what another stripe counts
                )
                seen[rows[:, :, None], block.target[:, None, :]] = True
            own = np.flatnonzero(itself[first:last])
            seen[own, own + first] = True
            rows, columns = np.nonzero(seen[: last - first])
            targets.append(columns.astype(np.int32))
            counts.append(np.bincount(rows, minlength=last - first))
        offsets = np.concatenate([[0], np.cumsum(np.concatenate(counts))]).astype(np.int64)
        return cls(offsets, np.concatenate(targets))

    def __len__(self) -> int:
        return len(self.targets)

    @property
    def vocabulary_size(self) -> int:
        """V."""
        return len(self.offsets) - 1

    @property
    def sources(self) -> Ids:
        """The source id of every pair, (N,)."""
        ids = np.arange(self.vocabulary_size, dtype=np.int32)
        return np.repeat(ids, np.diff(self.offsets))

    def index(self, source: Ids, target: Ids) -> Indices:
        """Return the number of every pair of a source and a target token of each sentence.

        Args:
            source: (B, S).
            target: (B, T).

        Returns:
            (B, S, T); N where there is no such pair.
        """
        place = source[:, :, None].astype(np.int64) * self._row + (target // _WORD)[:, None, :]
        bit = np.uint64(1) << (target % _WORD).astype(np.uint64)[:, None, :]
        word = self._words[place]
        number = self._before[place] + np.bitwise_count(word & (bit - np.uint64(1)))
        return np.where(word & bit, number, np.int64(len(self)))

    def only(self, chosen: npt.NDArray[np.bool_]) -> Cooccurrence:
        """Return the chosen pairs, numbered anew in the same order; `chosen` is (N,)."""
        kept = np.concatenate([[0], np.cumsum(chosen)])
        return Cooccurrence(kept[self.offsets].astype(np.int64), self.targets[chosen])


def _stripes(size: int) -> Iterator[tuple[int, npt.NDArray[np.bool_]]]:
    """Yield the first source id and the table of every stripe, all False, with a row to spare."""
    columns = -(-size // _WORD) * _WORD
    rows = min(size, max(1, _STRIPE_BYTES // columns))
    for first in range(0, size, rows):
        yield first, np.zeros((rows + 1, columns), dtype=bool)
