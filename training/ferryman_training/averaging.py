"""Averages of the weights of a run, which are better than any of them alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from torch import Tensor

from ferryman_training.run_config import RunConfig

Weights = Mapping[str, Tensor]


class WeightAverage(Protocol):
    """What a run makes of its weights before it validates and saves them."""

    def observe(self, step: int, weights: Weights) -> None:
        """Take the weights after an update in; they are copied where they are kept."""
        ...

    def result(self, step: int, weights: Weights) -> Weights:
        """Return what is validated and saved after an update, given the newest weights."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Return what was taken in, for resuming."""
        ...

    def load_state_dict(self, state: dict[str, Any], *, step: int) -> None:
        """Go back to a saved state; one of another kind of average is dropped.

        Args:
            state: From `state_dict`.
            step: Where the run stands.
        """
        ...


def weight_average(config: RunConfig) -> WeightAverage:
    """Return the average that a run asks for."""
    return MovingAverage(config.average_decay) if config.average_decay else LastPoints(config)


class LastPoints:
    """The mean of the weights at the last few averaging points of a run.

    The points count back from the last step, so the last one is the final weights. Vaswani et al.
    2017, https://arxiv.org/abs/1706.03762, section 6.1.
    """

    def __init__(self, config: RunConfig) -> None:
        self._end, every = config.steps, config.average_every
        self._points = {self._end - i * every for i in range(config.average_last)}
        self._sum: dict[str, Tensor] = {}
        self._steps: list[int] = []

    def observe(self, step: int, weights: Weights) -> None:
        """Take the weights in, if this step is an averaging point."""
        if step not in self._points:
            return
        if self._steps:
            for name, total in self._sum.items():
                total.add_(weights[name].cpu())
        else:
            self._sum = {name: weight.cpu().clone() for name, weight in weights.items()}
        self._steps.append(step)

    def result(self, step: int, weights: Weights) -> Weights:
        """Return the mean of the points at the last step, and the newest weights before it."""
        if step < self._end or not self._steps:
            return weights
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
        if "sum" not in state:
            return
        met = [point for point in self._points if 0 < point <= step]
        saved = state.get("steps", met)
        if len(saved) == state["count"] and self._points.issuperset(saved):
            self._sum, self._steps = state["sum"], list(saved)


class MovingAverage:
    """The exponential moving average of the weights after each update.

    Polyak and Juditsky 1992 show why averages of the course are good; that they are moving ones,
    and the decay that is smaller at first, min(d, (1 + n) / (10 + n)) at the n-th update, are as in
    TensorFlow's ExponentialMovingAverage: without it the random first weights would stay for long.

    Args:
        decay: d, the share of the average that stays at an update.
    """

    def __init__(self, decay: float) -> None:
        self._decay = decay
        self._count = 0
        self._mean: dict[str, Tensor] = {}

    def observe(self, step: int, weights: Weights) -> None:  # noqa: ARG002
        """Move towards the weights."""
        if not self._count:
            self._mean = {name: weight.clone() for name, weight in weights.items()}
        self._count += 1
        decay = min(self._decay, (1 + self._count) / (10 + self._count))
        for name, mean in self._mean.items():
            mean.lerp_(weights[name], 1.0 - decay)

    def result(self, step: int, weights: Weights) -> Weights:  # noqa: ARG002
        """Return the average; the newest weights before the first update."""
        return self._mean if self._count else weights

    def state_dict(self) -> dict[str, Any]:
        """Return mean and count, for resuming."""
        return {"mean": self._mean, "count": self._count}

    def load_state_dict(self, state: dict[str, Any], *, step: int) -> None:  # noqa: ARG002
        """Go back to a saved state; that of another kind of average is dropped."""
        if "mean" in state:
            self._mean, self._count = dict(state["mean"]), state["count"]
