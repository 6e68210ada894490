"""Learning-rate schedules: a linear warm-up, what follows it, and a linear cool-down to zero."""

from __future__ import annotations

import math
from typing import Any

from ferryman_training.optimizer_config import OptimizerConfig
from ferryman_training.patience import Patience


def planned_rate(config: OptimizerConfig, step: int, *, steps: int, width: int) -> float:
    """Return the learning rate of one update, as far as the step alone decides it.

    Args:
        config: Peak rate, shape, and the lengths of the phases.
        step: The update, from 1.
        steps: Updates in all.
        width: Of the model; ``noam`` depends on it.
    """
    rate = config.learning_rate * min(1.0, step / config.warmup_steps)
    if config.schedule == "noam":
        rate /= math.sqrt(width * config.warmup_steps)
    if step > config.warmup_steps:
        rate *= _descent(config, step, steps)
    left = steps - step + 1
    if left <= config.cooldown_steps:
        rate *= left / (config.cooldown_steps + 1)
    return rate


def _descent(config: OptimizerConfig, step: int, steps: int) -> float:
    """Return what is left of the peak at an update after the warm-up.

    ``noam`` and ``inverse-sqrt`` are equation 3 of Vaswani et al. 2017
    (https://arxiv.org/abs/1706.03762), the one with its peak at (width * warm-up)^-0.5 times
    `config.learning_rate`, the other at `config.learning_rate` itself. ``cosine`` is equation 5
    of Loshchilov and Hutter 2017 (https://arxiv.org/abs/1608.03983) without restarts; it would
    be zero one update after the last.
    """
    match config.schedule:
        case "noam" | "inverse-sqrt":
            return math.sqrt(config.warmup_steps / step)
        case "cosine":
            done = (step - config.warmup_steps) / (steps - config.warmup_steps + 1)
            return 0.5 * (1 + math.cos(math.pi * done))
        case "plateau" | "constant":
            return 1.0


class Schedule:
    """The learning rate of a run: what was planned, times what happened on the way.

    Args:
        config: Peak rate, shape, and the lengths of the phases.
        steps: Updates in all.
        width: Of the model.
    """

    def __init__(self, config: OptimizerConfig, *, steps: int, width: int) -> None:
        self._config = config
        self._steps = steps
        self._width = width
        self._factor = 1.0
        self._patience = Patience(config.plateau_patience)

    def rate(self, step: int) -> float:
        """Return the learning rate of an update, counted from 1."""
        return self._factor * planned_rate(self._config, step, steps=self._steps, width=self._width)

    def lower(self, factor: float) -> None:
        """Multiply all rates to come."""
        self._factor *= factor

    def validated(self, merit: float) -> bool:
        """Take a validation in; return whether it lowered the rate.

        Args:
            merit: Greater is better; see `patience.merit`.
        """
        if self._config.schedule != "plateau":
            return False
        self._patience.observe(merit)
        if not self._patience.exhausted:
            return False
        self._patience.renew()
        self.lower(self._config.plateau_factor)
        return True

    def state_dict(self) -> dict[str, Any]:
        """Return what happened on the way, for resuming."""
        return {"factor": self._factor, "patience": self._patience.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go back to a saved state."""
        self._factor = state["factor"]
        self._patience.load_state_dict(state["patience"])
