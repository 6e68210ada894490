"""What a run computes in, and the loss scale that keeps float16 gradients from vanishing."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any, Final

import torch

from ferryman_training.run_config import RunConfig

_TYPES: Final = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}

_FIRST_SCALE: Final = 2.0**16
_GROWTH_INTERVAL: Final = 2000
"""Updates without an overflow after which the scale is doubled."""


class Precision:
    """The number formats of a run.

    Without autocast, weights and activations are of one type, and everything but the loss is
    computed in it. With autocast the weights that are computed with stay float32, and torch casts
    them for every product; what else stays float32 is up to torch and differs between CPU and CUDA.
    """

    def __init__(self, config: RunConfig) -> None:
        self._type = _TYPES[config.precision]
        self._autocast = config.autocast
        self._scaled = self._type == torch.float16

    @property
    def weights(self) -> torch.dtype:
        """Type of the weights that are computed with."""
        return torch.float32 if self._autocast else self._type

    def computing(self, device: torch.device) -> AbstractContextManager[Any]:
        """Return the context for forward passes."""
        enabled = self._autocast and self._type != torch.float32
        return torch.autocast(device.type, dtype=self._type, enabled=enabled)

    def loss_scale(self) -> LossScale:
        """Return the scale that a run begins with."""
        return LossScale(_FIRST_SCALE if self._scaled else 1.0)


class LossScale:
    """Multiplies the loss so that small gradients are not rounded to zero in float16.

    Micikevicius et al. 2018, https://arxiv.org/abs/1710.03740, section 3.2: halved when a gradient
    overflows, doubled after 2,000 updates without that, as `torch.amp.GradScaler` does. A scale
    of 1 is never raised: bfloat16 and float32 need none.

    Args:
        first: The scale to begin with.
    """

    def __init__(self, first: float) -> None:
        self._used = first > 1.0
        self._good = 0
        self.value = first

    def passed(self) -> None:
        """Note an update whose gradient was finite."""
        if not self._used:
            return
        self._good += 1
        if self._good == _GROWTH_INTERVAL:
            self.value *= 2.0
            self._good = 0

    def overflowed(self) -> bool:
        """Note a gradient that was not finite; return whether a smaller scale may help."""
        self._good = 0
        if self.value <= 1.0:
            return False
        self.value /= 2.0
        return True

    def state_dict(self) -> dict[str, Any]:
        """Return scale and count, for resuming."""
        return {"used": self._used, "value": self.value, "good": self._good}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go back to a saved state; a run that is now computed otherwise begins anew."""
        if state["used"] == self._used:
            self.value, self._good = state["value"], state["good"]
