"""Cross-entropy with label smoothing, fused with the output projection.

Dimension key:
    N: target tokens of a batch    D: width    V: vocabulary
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

_CHUNK = 1024
"""Tokens whose logits are in memory at a time; 1,024 x 8,192 float32 are 32 MiB."""


class SmoothedCrossEntropy(torch.autograd.Function):
    """Summed cross-entropy against (1 - e) one-hot + e / V, and the plain one beside it.

    Szegedy et al. 2016, https://arxiv.org/abs/1512.00567, section 7. The gradient of the logits,
    softmax minus the smoothed target, is known with the loss, so it is taken chunk by chunk in
    the forward pass and the (N, V) logits never exist as a whole.
    """

    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any, hidden: Tensor, weight: Tensor, targets: Tensor, smoothing: float
    ) -> tuple[Tensor, Tensor]:
        """Return the smoothed loss and the plain loss, both summed over tokens, float32.

        Args:
            ctx: Of autograd.
            hidden: (N, D).
            weight: (V, D).
            targets: True token ids, (N,).
            smoothing: e above.
        """
        vocabulary = weight.shape[0]
        hidden_gradient = torch.empty_like(hidden)
        weight_gradient = torch.zeros_like(weight, dtype=torch.float32)
        smoothed = torch.zeros((), dtype=torch.float32)
        plain = torch.zeros((), dtype=torch.float32)
        for start in range(0, hidden.shape[0], _CHUNK):
            rows = slice(start, start + _CHUNK)
            chunk, truth = hidden[rows], targets[rows, None]
            log_probabilities = torch.log_softmax((chunk @ weight.T).float(), dim=-1)
            nll = -log_probabilities.gather(1, truth).sum()
            plain += nll
            smoothed += (1 - smoothing) * nll
            smoothed -= smoothing / vocabulary * log_probabilities.sum()
            gradient = log_probabilities.exp_().sub_(smoothing / vocabulary)
            gradient.scatter_add_(1, truth, gradient.new_full(truth.shape, smoothing - 1))
            gradient = gradient.to(hidden.dtype)
            hidden_gradient[rows] = gradient @ weight
            weight_gradient += gradient.T @ chunk
        ctx.save_for_backward(hidden_gradient, weight_gradient.to(weight.dtype))
        ctx.mark_non_differentiable(plain)
        return smoothed, plain

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None, None]:
        """Scale the gradients of the forward pass."""
        hidden_gradient, weight_gradient = ctx.saved_tensors
        scale = gradients[0]
        return (
            hidden_gradient * scale.to(hidden_gradient.dtype),
            weight_gradient * scale.to(weight_gradient.dtype),
            None,
            None,
        )
