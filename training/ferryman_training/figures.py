"""The figures of a run that is going on, smoothed over its last updates."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reading:
    """Where a run stands, as means over its last `run.log_every` updates."""

    step: int
    steps: int
    epoch: int
    """From 1."""
    epoch_share: float
    """Of the epoch that is done, 0 to 1."""
    loss: float
    """Mean per target token, in nats, without smoothing."""
    tokens_per_second: float
    """Target tokens of all processes in a second of training; validation not counted."""
    learning_rate: float
    gradient_norm: float
    seconds_left: float
    """Updates left at the pace of the last ones, validations left at that of the last one."""

    @property
    def perplexity(self) -> float:
        """The exponential of the loss."""
        return perplexity(self.loss)


def perplexity(loss: float) -> float:
    """Return the exponential of a loss in nats; JSON knows no infinity, so there is a limit."""
    return math.exp(min(loss, 700.0))


class Meter:
    """Means over the last updates."""

    def __init__(self, updates: int) -> None:
        self._losses: deque[tuple[int, float]] = deque(maxlen=updates)
        self._paces: deque[tuple[int, float]] = deque(maxlen=updates)

    def add(self, *, tokens: int, loss: float, seconds: float) -> None:
        """Take one update in."""
        self._losses.append((tokens, loss))
        self._paces.append((tokens, seconds))

    @property
    def loss(self) -> float:
        """Mean per target token."""
        return sum(n * loss for n, loss in self._losses) / sum(n for n, _ in self._losses)

    @property
    def tokens_per_second(self) -> float:
        """Target tokens per second."""
        return sum(n for n, _ in self._paces) / sum(s for _, s in self._paces)

    @property
    def seconds_per_update(self) -> float:
        """Mean over the updates."""
        return sum(s for _, s in self._paces) / len(self._paces)

    @property
    def recent(self) -> list[tuple[int, float]]:
        """Tokens and losses, so that a resumed run logs the means that one without a stop does."""
        return list(self._losses)

    def restore(self, recent: Sequence[tuple[int, float]]) -> None:
        """Take the losses of an earlier process in; its pace is not this one's."""
        self._losses.extend(recent)
