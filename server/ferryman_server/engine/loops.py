"""The loop guard: noticing that a model repeats itself without end.

A hypothesis is in a loop when its last tokens, `Search.loop_tokens` of them, are one sequence of at
most eight tokens over and over, three times at least. Whatever repeats itself in the source (a
ruler of dashes, a row of zeros) may do so in the target for longer, by twice its own length. It is
looked for at every eighth token of a hypothesis, which costs next to nothing.

In a beam, what was cut takes the place of one that has finished: the beam ends with W of both, and
what was cut comes last in the answer, however likely a model finds it to repeat itself.

Dimension key:
    N: slots    n: sources
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
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


def is_one_sequence(ids: Sequence[int], longest_period: int) -> bool:
    """Tell whether tokens are nothing but one sequence of at most so many tokens, over and over.

    >>> is_one_sequence([5, 6, 5, 6, 5, 6, 5], 2), is_one_sequence([5, 6, 7, 5, 6, 7], 2)
    (True, False)
    """
    return any(ids[period:] == ids[:-period] for period in range(1, longest_period + 1))


def is_loop(last: Callable[[int], Sequence[int]], loop_tokens: int, source: Sequence[int]) -> bool:
    """Tell whether a hypothesis is in a loop.

    Args:
        last: Returns so many of its last tokens; fewer where it has fewer.
        loop_tokens: `Search.loop_tokens`.
        source: The source.
    """
    longest_period = min(_LONGEST_PERIOD, loop_tokens // 3)
    if not is_one_sequence(last(loop_tokens), longest_period):
        return False
    # Only now is the source worth a look. The target may cut what is repeated into more tokens.
    limit = loop_tokens + 2 * longest_repetition(source)
    tokens = last(limit)
    return len(tokens) == limit and is_one_sequence(tokens, longest_period)


def is_time_to_look(length: int, loop_tokens: int) -> bool:
    """Tell whether a hypothesis of so many tokens has to be looked at."""
    return 0 < loop_tokens <= length and length % _STRIDE == 0


class LoopGuard:
    """Which sources of a running batch it is time to look at.

    Args:
        max_sources: The most sources there will be, N.
    """

    def __init__(self, max_sources: int) -> None:
        self._loop_tokens = np.full(max_sources, _NEVER, np.int64)
        # Steps before somebody may be in a loop: nobody is looked at until then.
        self._free_steps = _NEVER

    def admit(self, slot: int, loop_tokens: int) -> None:
        """Watch a source that starts, if its search has a loop guard."""
        self._loop_tokens[slot] = loop_tokens or _NEVER
        self._free_steps = min(self._free_steps, loop_tokens or _NEVER)

    def move(self, source: int, target: int) -> None:
        """Follow a source from one slot to another."""
        self._loop_tokens[target] = self._loop_tokens[source]

    def advance(self, lengths: Lengths) -> list[int]:
        """Count a step; return the slots to look at.

        Args:
            lengths: Tokens that the hypotheses of each source have with this step's, (n).
        """
        self._free_steps -= 1
        if self._free_steps > 0:
            return []
        left = self._loop_tokens[: len(lengths)] - lengths
        self._free_steps = max(1, int(left.min(initial=_NEVER)))
        suspects: list[int] = ((left <= 0) & (lengths % _STRIDE == 0)).nonzero()[0].tolist()
        return suspects
