"""The figures of a loop: what was answered, how fast, and what was refused."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

from ferryman.bench.loops import Attempt, Level

REFUSED = "RESOURCE_EXHAUSTED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """How long something took, in seconds."""

    p50: float
    p95: float
    p99: float
    longest: float

    @classmethod
    def of(cls, seconds: Iterable[float]) -> Latency | None:
        """Return the percentiles of some times; None if there are none."""
        ordered = sorted(seconds)
        if not ordered:
            return None
        p50, p95, p99 = (percentile(ordered, share) for share in (0.5, 0.95, 0.99))
        return cls(p50=p50, p95=p95, p99=p99, longest=ordered[-1])


def percentile(ordered: Sequence[float], share: float) -> float:
    """Return the smallest value that at least this share of all values do not exceed.

    >>> percentile([1, 2, 3, 4], 0.5), percentile([1, 2, 3, 4], 0.51), percentile([7], 0.99)
    (2, 3, 7)
    """
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What a loop found; rates are per second."""

    level: Level
    calls: int
    answered: int
    refused: int
    codes: dict[str, int]
    """Calls by status."""
    answers_per_second: float
    """Goodput: of answered calls only."""
    tokens_per_second: float
    latency: Latency | None
    """Of answered calls."""
    first_token: Latency | None
    """Of answered calls, where it was seen."""
    refusal: Latency | None
    """How long refusals took."""

    def document(self) -> dict[str, object]:
        """Return it for JSON."""
        return asdict(self)


def figures_of(level: Level, attempts: Sequence[Attempt], *, seconds: float) -> Figures:
    """Return the figures of a loop.

    Args:
        level: How hard the server was loaded.
        attempts: Its calls.
        seconds: How long it ran.
    """
    answered = [attempt for attempt in attempts if attempt.code == "OK"]
    refused = [attempt for attempt in attempts if attempt.code == REFUSED]
    # Calls that were sent in time are answered later, and the last of them after the end.
    span = max([seconds, *(attempt.started + attempt.seconds for attempt in answered)])
    first_tokens = (a.first_token_seconds for a in answered if a.first_token_seconds is not None)
    return Figures(
        level=level,
        calls=len(attempts),
        answered=len(answered),
        refused=len(refused),
        codes=dict(sorted(Counter(attempt.code for attempt in attempts).items())),
        answers_per_second=len(answered) / span,
        tokens_per_second=sum(attempt.tokens for attempt in answered) / span,
        latency=Latency.of(attempt.seconds for attempt in answered),
        first_token=Latency.of(first_tokens),
        refusal=Latency.of(attempt.seconds for attempt in refused),
    )
