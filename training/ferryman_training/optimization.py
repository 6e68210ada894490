"""Master weights, gradients, optimizer and learning-rate schedule.

The model that computes is a copy: the optimizer updates float32 master weights, and after each
update they are rounded into the copy, which may be bfloat16 (Micikevicius et al. 2018,
https://arxiv.org/abs/1710.03740, section 3.1).
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn

from ferryman_training.errors import DivergenceError
from ferryman_training.optimizer_config import OptimizerConfig


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
        model: The model that computes, with its initial weights in float32. It may be moved to
            another precision afterwards (`Module.to`), in place.
        config: Kind of optimizer and its settings.
    """

    def __init__(self, model: nn.Module, config: OptimizerConfig) -> None:
        self._config = config
        self._working = dict(model.named_parameters())
        self.master = {name: p.detach().clone() for name, p in self._working.items()}
        # One flat vector, so that processes exchange it and clipping measures it in one call.
        count = sum(p.numel() for p in self.master.values())
        some = next(iter(self.master.values()))
        self.gradient = torch.zeros(count, device=some.device)
        pieces = torch.split(self.gradient, [p.numel() for p in self.master.values()])
        for parameter, piece in zip(self.master.values(), pieces, strict=True):
            parameter.grad = piece.view_as(parameter)
        self._optimizers = self._build(model)

    def _build(self, model: nn.Module) -> list[torch.optim.Optimizer]:
        """AdamW for all, or Muon for the matrices inside the layers and AdamW for the rest.

        Muon: Jordan et al. 2024, https://kellerjordan.github.io/posts/muon; scaled to the size of
        AdamW's updates (Liu et al. 2025, https://arxiv.org/abs/2502.16982, section 2.2), so that
        one learning rate serves both.
        """
        config = self._config
        matrices: set[str] = set()
        if config.kind == "muon":
            embeddings = {
                f"{name}.weight"
                for name, module in model.named_modules()
                if isinstance(module, nn.Embedding)
            }
            matrices = {n for n, p in self.master.items() if p.ndim == 2} - embeddings
        optimizers: list[torch.optim.Optimizer] = [
            torch.optim.AdamW(
                [p for name, p in self.master.items() if name not in matrices],
                lr=config.learning_rate,
                betas=config.betas,
                eps=1e-9,
                weight_decay=config.weight_decay,
                fused=True,
            )
        ]
        if matrices:
            optimizers.append(
                torch.optim.Muon(
                    [p for name, p in self.master.items() if name in matrices],
                    lr=config.learning_rate,
                    weight_decay=config.weight_decay,
                    adjust_lr_fn="match_rms_adamw",
                )
            )
        return optimizers

    @torch.no_grad()
    def accumulate(self) -> None:
        """Move the gradients of the model into `gradient`, adding to what is there in float32."""
        for name, parameter in self._working.items():
            master_gradient = self.master[name].grad
            if parameter.grad is not None and master_gradient is not None:
                master_gradient.add_(parameter.grad)
                parameter.grad = None

    @torch.no_grad()
    def update(self, rate: float) -> float:
        """Clip `gradient` by its L2 norm, update the masters, round into the model, zero it.

        Args:
            rate: The learning rate.

        Returns:
            The norm before clipping.

        Raises:
            DivergenceError: The norm is infinite or no number; nothing was updated.
        """
        norm = float(self.gradient.norm())
        if not math.isfinite(norm):
            raise DivergenceError(
                f"the gradient's norm is {norm}; the last checkpoint is from before. "
                "Lower optimizer.learning_rate or lengthen optimizer.warmup_steps"
            )
        self.gradient.mul_(min(1.0, self._config.clip_norm / (norm + 1e-6)))
        for optimizer in self._optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate
            optimizer.step()
        self.publish()
        self.gradient.zero_()
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

    @torch.no_grad()
    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go back to a saved state."""
        for name, parameter in self.master.items():
            parameter.copy_(state["master"][name])
        for optimizer, saved in zip(self._optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        self.publish()
