"""Averaging of the weights of the last part of a run.

Vaswani et al. 2017, section 6.1: the final model is the average of the last checkpoints.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from ferryman_training.run_config import RunConfig


class WeightAverage:
    """The mean of the weights at the last few averaging points of a run.

    The points count back from the last step, so the last one is the final weights.
    """

    def __init__(self, config: RunConfig) -> None:
        last, every = config.steps, config.average_every
        self._points = {last - i * every for i in range(config.average_last)}
        self._sum: dict[str, Tensor] = {}
        self._steps: list[int] = []

    def observe(self, step: int, weights: Mapping[str, Tensor]) -> None:
        """Take the weights in, if this step is an averaging point."""
        if step not in self._points:
            return
        if self._steps:
            for name, total in self._sum.items():
                total.add_(weights[name].cpu())
        else:
            self._sum = {name: weight.cpu().clone() for name, weight in weights.items()}
        self._steps.append(step)

    def weights(self) -> dict[str, Tensor]:
        """Return the mean of the points met; there must be one."""
        return {name: total / len(self._steps) for name, total in self._sum.items()}

    def state_dict(self) -> dict[str, Any]:
        """Return the sum and the points in it, for resuming."""
        return {"sum": self._sum, "count": len(self._steps), "steps": self._steps}

    def load_state_dict(self, state: dict[str, Any], *, step: int) -> None:
        """Go back to a saved state.

        A run whose end was moved has other averaging points; a sum of the old ones is dropped.

        Args:
            state: From `state_dict`; the first states held no ``steps``.
            step: Where the run stands.
        """
        met = [point for point in self._points if 0 < point <= step]
        saved = state.get("steps", met)
        if len(saved) == state["count"] and self._points.issuperset(saved):
            self._sum, self._steps = state["sum"], list(saved)
