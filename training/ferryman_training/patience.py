"""Whether validations still get better: for early stopping, and for learning rates on a plateau."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ferryman_training.run_config import Metric


def merit(scores: Mapping[str, float], metric: Metric) -> float:
    """Return a figure of a validation such that greater is better."""
    return -scores[metric] if metric == "loss" else scores[metric]


class Patience:
    """Counts validations since the best one.

    Args:
        limit: So many without a new best are too many; 0 for no limit.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._best = -math.inf
        self._waited = 0

    @property
    def exhausted(self) -> bool:
        """True when the limit is reached."""
        return 0 < self._limit <= self._waited

    def observe(self, merit: float) -> None:
        """Take a validation in; what is no number is no better than anything."""
        if merit > self._best:
            self._best, self._waited = merit, 0
        else:
            self._waited += 1

    def renew(self) -> None:
        """Begin to wait anew; the best stays."""
        self._waited = 0

    def state_dict(self) -> dict[str, Any]:
        """Return the best and the wait, for resuming."""
        return {"best": self._best, "waited": self._waited}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go back to a saved state."""
        self._best, self._waited = state["best"], state["waited"]
