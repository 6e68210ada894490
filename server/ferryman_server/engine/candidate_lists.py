"""The tokens that each source of a running batch may choose from.

A row's answer must not depend on its company. So every row takes its own logits, in the order of
the tokens' ids, from wherever they are, and only those count: for their sum as well.

Dimension key:
    N: slots    W: beam width    P: places of every row, for its tokens and for padding
"""

from __future__ import annotations

import numpy as np

from ferryman_server.engine.output_columns import (
    NO_COLUMN,
    OutputColumns,
    OutputMatrix,
    rounded_up,
)
from ferryman_server.engine.search import Ints


class CandidateLists:
    """A list of tokens for each slot.

    Args:
        matrix: Of which the sources' columns are kept; None where the model computes all logits,
            and a token's place is its id.
        width: Beam width W.
        max_sources: The most sources there will be, N.

    Attributes:
        places: Where the logits of each hypothesis are, by ascending id of the token, then
            `NO_COLUMN`, (N, W, P).
        columns: What there is of the output matrix; None where there is all of it.
    """

    def __init__(self, matrix: OutputMatrix | None, *, width: int, max_sources: int) -> None:
        self.columns = None if matrix is None else OutputColumns(matrix)
        self._resizes = 0
        self._tokens: dict[int, Ints] = {}  # by slot
        self._width = width
        self._max_sources = max_sources
        self.places: Ints = np.zeros((max_sources, width, rounded_up(0)), np.int64)

    @property
    def revision(self) -> tuple[int, int]:
        """What changes whenever an array is another one; views taken before show nothing then."""
        return self._resizes, 0 if self.columns is None else self.columns.revision

    def admit(self, slot: int, tokens: Ints) -> None:
        """Give the source in a slot its list.

        Args:
            slot: The slot, which has none.
            tokens: Ascending, each once, none of them 0.
        """
        self._tokens[slot] = tokens
        revision = self.revision
        if self.columns is not None:
            self.columns.acquire(tokens)
        self._fit(max(map(len, self._tokens.values())))
        # Where arrays are other ones, so are all the places.
        for changed in [slot] if self.revision == revision else self._tokens:
            self._write(changed)

    def move(self, source: int, target: int) -> None:
        """Follow a source from one slot to another."""
        self._tokens[target] = self._tokens.pop(source)
        self.places[target] = self.places[source]

    def release(self, slot: int) -> None:
        """Forget the list of a source that has left."""
        tokens = self._tokens.pop(slot)
        if self.columns is not None:
            self.columns.release(tokens)

    def _fit(self, longest: int) -> None:
        """Have as many places as the longest list needs, and not twice as many."""
        needed, now = rounded_up(longest), self.places.shape[2]
        if needed > now or 2 * needed <= now:
            self._resizes += 1
            self.places = np.zeros((self._max_sources, self._width, needed), np.int64)

    def _write(self, slot: int) -> None:
        tokens = self._tokens[slot]
        places = tokens if self.columns is None else self.columns.columns_of(tokens)
        self.places[slot, :, : len(tokens)] = places
        self.places[slot, :, len(tokens) :] = NO_COLUMN
