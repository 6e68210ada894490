"""The history of a running batch: every token chosen, and which hypothesis it extended.

Dimension key:
    N: slots    n: sources    C: steps there is room for    W: beam width
"""

from __future__ import annotations

from typing import Final

import numpy as np

from ferryman_server.engine.search import Doubles, Floats, Ints, Lengths

_STEPS: Final = 64
"""Room at first; doubled as needed."""


class History:
    """What the hypotheses of each slot were made of, step by step, best hypothesis first.

    Args:
        max_sources: The most sources there will be, N.
        width: Hypotheses of each, W.
    """

    def __init__(self, max_sources: int, width: int) -> None:
        # Lengths count from 1, so column 0 is never read.
        shape = (max_sources, 1 + _STEPS, width)
        self._ids = np.zeros(shape, np.int64)
        self._parents = np.zeros(shape, np.int64)
        self._log_probs = np.zeros(shape, np.float32)
        self._slots = np.arange(max_sources)
        # Steps before somebody may need more room: nobody is asked until then.
        self._free_steps = _STEPS

    def record(
        self, lengths: Lengths, ids: Ints, parents: Ints | None, log_probs: Floats | Doubles
    ) -> None:
        """Note one step of the first n slots.

        Args:
            lengths: Tokens that the hypotheses of each slot have with this one, (n).
            ids: The token that made each hypothesis, (n, W).
            parents: The rank, one step ago, of the hypothesis that it extended, (n, W); None where
                it can only have been the first.
            log_probs: The log-probability of that token alone, (n, W).
        """
        self._free_steps -= 1
        if self._free_steps < 0:
            self._make_room(int(lengths.max()))
        at = self._slots[: len(lengths)], lengths
        self._ids[at] = ids
        self._log_probs[at] = log_probs
        if parents is not None:
            self._parents[at] = parents

    def trace(
        self, slot: int, length: int, rank: int, *, last: int | None = None
    ) -> tuple[list[int], list[float]]:
        """Return the tokens of one hypothesis and their log-probabilities, first token first.

        Args:
            slot: The slot of its source.
            length: How many tokens it has.
            rank: Its rank in the step that added the last of them.
            last: How many of its last tokens to return; None for all.
        """
        start = 1 if last is None else max(1, length + 1 - last)
        width = self._ids.shape[2]
        if width == 1:
            column = slice(start, length + 1)
            return self._ids[slot, column, 0].tolist(), self._log_probs[slot, column, 0].tolist()
        parents = self._parents[slot, start : length + 1].tolist()
        ranks = np.empty(len(parents), np.int64)
        for place in range(len(parents) - 1, -1, -1):
            ranks[place] = rank
            rank = parents[place][rank]
        steps = np.arange(start, length + 1)
        return self._ids[slot, steps, ranks].tolist(), self._log_probs[slot, steps, ranks].tolist()

    def move(self, source: int, target: int) -> None:
        """Follow a source from one slot to another."""
        for field in (self._ids, self._parents, self._log_probs):
            field[target] = field[source]

    def _make_room(self, longest: int) -> None:
        """Double the room until the longest hypotheses fit, and see how long that will do."""
        while longest >= self._ids.shape[1]:
            self._ids, self._parents, self._log_probs = (
                np.concatenate([field, np.zeros_like(field)], axis=1)
                for field in (self._ids, self._parents, self._log_probs)
            )
        self._free_steps = self._ids.shape[1] - 1 - longest
