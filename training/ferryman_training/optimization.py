"""Master weights, their gradient, and the optimizer that moves them.

The model that computes is a copy: the optimizer updates float32 master weights, and after each
update they are rounded into the copy, which may be bfloat16 (Micikevicius et al. 2018,
https://arxiv.org/abs/1710.03740, section 3.1).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ferryman_training.optimizer_config import OptimizerConfig


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
        """Return the optimizer of all weights; with ``muon``, that of the rest and Muon.

        Muon is for the matrices inside the layers, and AdamW takes the rest: Jordan et al. 2024,
        https://kellerjordan.github.io/posts/muon; scaled to the size of AdamW's updates (Liu et
        al. 2025, https://arxiv.org/abs/2502.16982, section 2.2), so that one learning rate serves
        both.
        """
        if self._config.kind != "muon":
            return [_optimizer(self._config, list(self.master.values()))]
        embeddings = {
            f"{name}.weight"
            for name, module in model.named_modules()
            if isinstance(module, nn.Embedding)
        }
        matrices = {n for n, p in self.master.items() if p.ndim == 2} - embeddings
        rest = [p for name, p in self.master.items() if name not in matrices]
        optimizers = [_optimizer(self._config, rest)]
        if matrices:
            optimizers.append(
                torch.optim.Muon(
                    [p for name, p in self.master.items() if name in matrices],
                    lr=self._config.learning_rate,
                    weight_decay=self._config.weight_decay,
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

    def gradient_norm(self) -> float:
        """Return the L2 norm of `gradient`; infinite or no number if any part of it is."""
        return float(self.gradient.norm())

    def discard(self) -> None:
        """Set `gradient` to zero without using it."""
        self.gradient.zero_()

    @torch.no_grad()
    def update(self, rate: float) -> None:
        """Clip `gradient`, update the masters, round them into the model, zero the gradient.

        Args:
            rate: The learning rate.
        """
        self._clip()
        for optimizer in self._optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate
            optimizer.step()
        self.publish()
        self.gradient.zero_()

    def _clip(self) -> None:
        """Cut `gradient` number by number, then scale it down as a whole.

        The latter is Pascanu et al. 2013, https://arxiv.org/abs/1211.5063, algorithm 1.
        """
        if self._config.clip_value:
            self.gradient.clamp_(-self._config.clip_value, self._config.clip_value)
        if self._config.clip_norm:
            self.gradient.mul_(min(1.0, self._config.clip_norm / (self.gradient_norm() + 1e-6)))

    @property
    def finite(self) -> bool:
        """True while every master weight is a number and none is infinite."""
        return all(bool(weight.isfinite().all()) for weight in self.master.values())

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


def _optimizer(config: OptimizerConfig, weights: Sequence[Tensor]) -> torch.optim.Optimizer:
    """Return torch's optimizer of a kind; AdamW is also Muon's for what is no matrix.

    Adam: Kingma and Ba 2015, https://arxiv.org/abs/1412.6980; AdamW: Loshchilov and Hutter 2019,
    https://arxiv.org/abs/1711.05101; Adafactor: Shazeer and Stern 2018,
    https://arxiv.org/abs/1804.04235, whose step also grows with the size of the weights.
    """
    rate, decay = config.learning_rate, config.weight_decay
    match config.kind:
        case "sgd":
            return torch.optim.SGD(
                weights, lr=rate, momentum=config.momentum, weight_decay=decay, fused=True
            )
        case "adafactor":
            return torch.optim.Adafactor(weights, lr=rate, weight_decay=decay)
        case "adam":
            return torch.optim.Adam(
                weights, lr=rate, betas=config.betas, eps=1e-9, weight_decay=decay, fused=True
            )
        case "adamw" | "muon":
            return torch.optim.AdamW(
                weights, lr=rate, betas=config.betas, eps=1e-9, weight_decay=decay, fused=True
            )
