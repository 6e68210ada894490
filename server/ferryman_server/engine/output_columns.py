"""The columns of the output matrix that some source of a running batch may need.

Sources bring tokens when they come and need them no more when they leave. What nobody needs stays
until its place is wanted: the next source often calls for it again.

Dimension key:
    V: vocabulary    D: width    C: columns there is room for
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from ferryman_server.engine.search import Floats, Ints

STEP: Final = 64
"""Sizes are multiples of this: whatever the processor, no kernel is left with a rest."""
NO_COLUMN: Final = 0
"""A column that stands for no token: its logit is minus infinity."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputMatrix:
    """The output layer of a model, in bytes."""

    values: npt.NDArray[np.int8]
    """(V, D)."""
    scales: Floats
    """Of each token's values, (V,)."""
    bias: Floats
    """(V,)."""


class OutputColumns:
    """Columns of an output matrix, each for one token, in no order.

    Args:
        matrix: The whole.

    Attributes:
        values: int8 (D, C).
        scales: (C,).
        bias: (C,).
        ids: The token of each, (C,).
        revision: Counts the changes of these arrays for others; between two of them only what is
            in them changes.
    """

    def __init__(self, matrix: OutputMatrix) -> None:
        self.revision = 0
        self._matrix = matrix
        vocabulary_size = len(matrix.scales)
        self._users = np.zeros(vocabulary_size, np.int64)
        self._column_of: Ints = np.full(vocabulary_size, NO_COLUMN)
        self._free: list[int] = []
        self._make(0)

    @property
    def capacity(self) -> int:
        """C."""
        return len(self.ids)

    def acquire(self, tokens: Ints) -> None:
        """Have columns of some tokens, until they are released as often.

        Args:
            tokens: Each once.
        """
        self._users[tokens] += 1
        missing = tokens[self._column_of[tokens] == NO_COLUMN]
        if len(missing) > len(self._free):
            self._reuse_idle()
        needed = int(np.count_nonzero(self._users))
        # Every step multiplies by all the columns that there is room for.
        if len(missing) > len(self._free) or 4 * _room(needed) <= 3 * self.capacity:
            self._make(needed)
            missing = np.flatnonzero(self._users)
        self._fill(missing)

    def release(self, tokens: Ints) -> None:
        """Need tokens no more that were acquired; their columns stay as they are for now."""
        self._users[tokens] -= 1

    def columns_of(self, tokens: Ints) -> Ints:
        """Return where tokens are that were acquired; valid until the revision changes."""
        return self._column_of[tokens]

    def _reuse_idle(self) -> None:
        """Make the columns that nobody needs free for others."""
        idle = np.flatnonzero((self._column_of != NO_COLUMN) & (self._users == 0))
        self._free += self._column_of[idle].tolist()
        self._column_of[idle] = NO_COLUMN

    def _make(self, needed: int) -> None:
        """Make new arrays with room for so many tokens, and none in them."""
        capacity = _room(needed)
        self.revision += 1
        self.values: npt.NDArray[np.int8] = np.zeros(
            (self._matrix.values.shape[1], capacity), np.int8
        )
        self.scales: Floats = np.zeros(capacity, np.float32)
        self.bias: Floats = np.full(capacity, -np.inf, np.float32)
        self.ids: Ints = np.zeros(capacity, np.int64)
        self._column_of[:] = NO_COLUMN
        self._free = list(range(capacity - 1, NO_COLUMN, -1))

    def _fill(self, tokens: Ints) -> None:
        """Copy the columns of tokens that are not there."""
        if not len(tokens):
            return
        columns = np.array(self._free[-len(tokens) :])
        del self._free[-len(tokens) :]
        self._column_of[tokens] = columns
        self.values[:, columns] = self._matrix.values[tokens].T
        self.scales[columns] = self._matrix.scales[tokens]
        self.bias[columns] = self._matrix.bias[tokens]
        self.ids[columns] = tokens


def rounded_up(count: int) -> int:
    """Round a size up so that few sizes occur, and at most a quarter is padding.

    >>> [rounded_up(count) for count in (1, 64, 65, 500, 600, 1100)]
    [64, 64, 128, 512, 640, 1280]
    """
    step = max(STEP, (1 << count.bit_length()) // 8)
    return max(1, -(-count // step)) * step


def _room(tokens: int) -> int:
    """Return how many columns there are for so many tokens and for none."""
    return rounded_up(tokens + 1)
