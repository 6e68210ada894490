"""The loop guard: noticing that a model repeats itself without end.

A hypothesis is in a loop when its last tokens are one sequence of at most `_LONGEST_PERIOD` tokens
over and over: three times at least, and over `loop_limit` tokens. Whatever repeats itself in the
source (a ruler of dashes, a row of zeros) may do so in the target, and twice as long. It is looked
for at every `_STRIDE`-th token of a hypothesis, which costs next to nothing.

In a beam, what was cut takes the place of one that has finished: the beam ends with W of both, and
what was cut comes last in the answer, however likely a model finds it to repeat itself.

Dimension key:
    N: slots    n: sources
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from ferryman_server.engine.search import Lengths

_LONGEST_PERIOD: Final = 8
_STRIDE: Final = 8
_NEVER: Final = 1 << 30


def longest_repetition(ids: Sequence[int]) -> int:
    """Return how many tokens the longest repetition of a short sequence has; 0 where there is none.

    >>> longest_repetition([7, 5, 6, 5, 6, 5, 8])
    5
    """
    longest = 0
    for period in range(1, min(_LONGEST_PERIOD, len(ids) // 2) + 1):
        equal = 0
        for token, earlier in zip(ids[period:], ids, strict=False):
            equal = equal + 1 if token == earlier else 0
            if equal >= period:
                longest = max(longest, equal + period)
    return longest


def loop_limit(loop_tokens: int, source: Sequence[int]) -> int:
    """Return how many tokens a repetition must have to be a loop.

    Args:
        loop_tokens: `Search.loop_tokens`; 0 where nothing is to be a loop.
        source: The source, whose own repetitions may be translated.
    """
    # The target may cut a repetition of the source into more tokens than the source has.
    return loop_tokens + 2 * longest_repetition(source) if loop_tokens else _NEVER


def is_one_sequence(ids: Sequence[int]) -> bool:
    """Tell whether tokens are nothing but one short sequence, three times at least.

    >>> is_one_sequence([5, 6, 5, 6, 5, 6, 5]), is_one_sequence([5, 6, 7, 5, 6, 7])
    (True, False)
    """
    periods = range(1, min(_LONGEST_PERIOD, len(ids) // 3) + 1)
    return any(ids[period:] == ids[:-period] for period in periods)


def is_loop(ids: Sequence[int], limit: int) -> bool:
    """Tell whether a hypothesis has to be cut, if it is time to look at it.

    Args:
        ids: Its tokens.
        limit: What `loop_limit` said.
    """
    length = len(ids)
    return length >= limit and length % _STRIDE == 0 and is_one_sequence(ids[-limit:])


class LoopGuard:
    """Which sources of a running batch it is time to look at.

    Args:
        max_sources: The most sources there will be, N.
    """

    def __init__(self, max_sources: int) -> None:
        self.limits = np.full(max_sources, _NEVER, np.int64)
        """Tokens that a repetition in each slot must have to be a loop."""
        # Steps before somebody may be in a loop: nobody is looked at until then.
        self._free_steps = _NEVER

    def admit(self, slot: int, limit: int) -> None:
        """Watch a source that starts."""
        self.limits[slot] = limit
        self._free_steps = min(self._free_steps, limit)

    def move(self, source: int, target: int) -> None:
        """Follow a source from one slot to another."""
        self.limits[target] = self.limits[source]

    def advance(self, lengths: Lengths) -> list[int]:
        """Count a step; return the slots to look at.

        Args:
            lengths: Tokens that the hypotheses of each source have with this step's, (n).
        """
        self._free_steps -= 1
        if self._free_steps > 0:
            return []
        left = self.limits[: len(lengths)] - lengths
        self._free_steps = max(1, int(left.min(initial=_NEVER)))
        suspects: list[int] = ((left <= 0) & (lengths % _STRIDE == 0)).nonzero()[0].tolist()
        return suspects
