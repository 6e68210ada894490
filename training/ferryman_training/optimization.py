"""Master weights, optimizer and learning-rate schedule.

With bfloat16 the model that computes is a copy; the optimizer updates float32 master weights, and
each update is rounded into the copy (Micikevicius et al. 2018, https://arxiv.org/abs/1710.03740).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ferryman_training.config import OptimizerConfig

_MUON_RATE = 0.2
"""What Muon's matched update multiplies the rate by is part of torch; this documents its size."""


def learning_rate(config: OptimizerConfig, step: int, steps: int) -> float:
    """Return the learning rate of one update.

    Linear warm-up, then constant or falling with the inverse square root of the step (Vaswani et
    al. 2017, equation 3, with the peak given), then linearly to zero over the last
    `config.cooldown_steps`.

    Args:
        config: Peak rate and the lengths of the phases.
        step: The update, from 1.
        steps: Updates in all.
    """
    rate = config.learning_rate * min(1.0, step / config.warmup_steps)
    if config.schedule == "inverse-sqrt" and step > config.warmup_steps:
        rate *= (config.warmup_steps / step) ** 0.5
    left = steps - step + 1
    if left <= config.cooldown_steps:
        rate *= left / (config.cooldown_steps + 1)
    return rate


class MasterOptimizer:
    """Updates float32 master weights and keeps the computing model equal to them.

    Args:
        model: The model that computes; its parameters are replaced in place.
        config: Kind of optimizer and its settings.
    """

    def __init__(self, model: nn.Module, config: OptimizerConfig) -> None:
        self._config = config
        self._working = dict(model.named_parameters())
        self.master = {n: p.detach().to(torch.float32).clone() for n, p in self._working.items()}
        self._optimizers = self._build(model)

    def _build(self, model: nn.Module) -> list[torch.optim.Optimizer]:
        """AdamW for all, or Muon for the matrices inside the layers and AdamW for the rest."""
        config = self._config
        embeddings = {
            f"{n}.weight" for n, m in model.named_modules() if isinstance(m, nn.Embedding)
        }
        matrices = [
            n for n, p in self.master.items() if p.ndim == 2 and n not in embeddings
        ] if config.kind == "muon" else []
        rest = [p for n, p in self.master.items() if n not in set(matrices)]
        optimizers: list[torch.optim.Optimizer] = [
            torch.optim.AdamW(
                rest, lr=config.learning_rate, betas=config.betas, eps=1e-9,
                weight_decay=config.weight_decay, fused=True,
            )
        ]
        if matrices:
            optimizers.append(
                torch.optim.Muon(
                    [self.master[n] for n in matrices], lr=config.learning_rate,
                    weight_decay=config.weight_decay, adjust_lr_fn="match_rms_adamw",
                )
            )
        return optimizers

    def gradients(self) -> Tensor:
        """Take the gradients of the model out of it, as one flat float32 vector."""
        flat = torch.cat(
            [
                (p.grad if p.grad is not None else torch.zeros_like(p)).reshape(-1).float()
                for p in self._working.values()
            ]
        )
        for parameter in self._working.values():
            parameter.grad = None
        return flat

    def update(self, gradients: Tensor, rate: float) -> float:
        """Clip the flat gradient by its L2 norm, update the masters, round into the model.

        Returns:
            The norm before clipping.
        """
        norm = float(gradients.norm())
        gradients.mul_(min(1.0, self._config.clip_norm / (norm + 1e-6)))
        start = 0
        for parameter in self.master.values():
            parameter.grad = gradients[start : start + parameter.numel()].view_as(parameter)
            start += parameter.numel()
        for optimizer in self._optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate
            optimizer.step()
        self.publish()
        return norm

    @torch.no_grad()
    def publish(self) -> None:
        """Round the master weights into the computing model."""
        for name, parameter in self._working.items():
            parameter.copy_(self.master[name])

    def state_dict(self) -> dict[str, Any]:
        """Return masters and optimizer state, for resuming."""
        return {
            "master": self.master,
            "optimizers": [optimizer.state_dict() for optimizer in self._optimizers],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go back to a saved state."""
        with torch.no_grad():
            for name, parameter in self.master.items():
                parameter.copy_(state["master"][name])
        for optimizer, saved in zip(self._optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        self.publish()
