"""How to search for a translation: what a caller passes as ``search=``.

What is None has the model's own default, which `Client.models` shows.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Greedy:
    """Take the most probable token at each step: the fastest search.

    >>> Greedy(max_tokens=100)
    Greedy(max_tokens=100, min_tokens=None)
    """

    max_tokens: int | None = None
    """Most tokens of a translated sentence."""
    min_tokens: int | None = None
    """Fewest tokens of a translated sentence."""

    def __post_init__(self) -> None:
        """Check the range of every field."""
        _check_lengths(self.min_tokens, self.max_tokens)


@dataclass(frozen=True, slots=True)
class Beam:
    """Keep the ``size`` most probable hypotheses at each step, and return the best.

    >>> Beam(4, num_hypotheses=2).size
    4
    """

    size: int = 4
    """Hypotheses that the search keeps."""
    num_hypotheses: int = 1
    """Hypotheses to return, best first; at most ``size``."""
    length_penalty: float | None = None
    """Hypotheses are ranked by log-probability / tokens ** length_penalty; 0 favours short ones."""
    max_tokens: int | None = None
    """Most tokens of a translated sentence."""
    min_tokens: int | None = None
    """Fewest tokens of a translated sentence."""

    def __post_init__(self) -> None:
        """Check the range of every field."""
        if self.size < 1:
            raise ValueError(f"a beam keeps at least one hypothesis, not {self.size}")
        if not 1 <= self.num_hypotheses <= self.size:
            raise ValueError(
                f"a beam of {self.size} returns 1 to {self.size} hypotheses, "
                f"not {self.num_hypotheses}"
            )
        _check_lengths(self.min_tokens, self.max_tokens)


Search = Greedy | Beam
"""What ``search=`` accepts."""


def _check_lengths(min_tokens: int | None, max_tokens: int | None) -> None:
    if min_tokens is not None and min_tokens < 0:
        raise ValueError(f"min_tokens is at least 0, not {min_tokens}")
    if max_tokens is not None and max_tokens < 1:
        raise ValueError(f"max_tokens is at least 1, not {max_tokens}")
    if min_tokens is not None and max_tokens is not None and min_tokens > max_tokens:
        raise ValueError(f"min_tokens {min_tokens} is more than max_tokens {max_tokens}")
