"""Length limits of a running batch: who may not end yet, and who may not go on.

Most steps concern nobody: two countdowns tell so without a look at any array.

Dimension key:
    N: slots    n: sources
"""

from __future__ import annotations

from typing import Final

import numpy as np

from ferryman_server.engine.job import Search
from ferryman_server.engine.search import Booleans, Lengths

_NEVER: Final = 1 << 31


class LengthLimits:
    """The least and the most tokens of each slot's hypotheses.

    Args:
        max_sources: The most sources there will be, N.
    """

    def __init__(self, max_sources: int) -> None:
        self._min_tokens = np.zeros(max_sources, np.int64)
        self._max_tokens = np.zeros(max_sources, np.int64)
        # Steps in which somebody may not end, and steps before somebody may reach the limit.
        self._early_steps = 0
        self._free_steps = _NEVER

    @property
    def somebody_is_early(self) -> bool:
        """Whether there may be a source that must not end by the next token."""
        return self._early_steps > 0

    def admit(self, slot: int, search: Search) -> None:
        """Take note of the limits of a source that starts."""
        self._min_tokens[slot] = search.min_tokens
        self._max_tokens[slot] = search.max_tokens
        self._early_steps = max(self._early_steps, search.min_tokens)
        self._free_steps = min(self._free_steps, search.max_tokens)

    def move(self, source: int, target: int) -> None:
        """Follow a source from one slot to another."""
        self._min_tokens[target] = self._min_tokens[source]
        self._max_tokens[target] = self._max_tokens[source]

    def advance(self, lengths: Lengths) -> tuple[Booleans | None, Booleans | None]:
        """Count a step.

        Args:
            lengths: Tokens that the hypotheses of each source have with this step's, (n).

        Returns:
            Which sources may end by this token, None for all; and which may have no more, None
            for none; both (n).
        """
        n = len(lengths)
        may_end = at_limit = None
        if self._early_steps > 0:
            self._early_steps -= 1
            may_end = lengths > self._min_tokens[:n]
        self._free_steps -= 1
        if self._free_steps <= 0:
            left = self._max_tokens[:n] - lengths
            at_limit = left <= 0
            self._free_steps = int(left[~at_limit].min(initial=_NEVER))
        return may_end, at_limit
