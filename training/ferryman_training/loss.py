"""Cross-entropy with label smoothing, fused with the output projection.

Dimension key:
    N: target tokens of a batch    D: width    V: vocabulary
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor
from torch.nn import functional

_CHUNK = 1024
"""Tokens whose logits are in memory at a time; 1,024 x 8,192 float32 are 32 MiB."""


def smoothed_cross_entropy(
    hidden: Tensor,
    weight: Tensor,
    targets: Tensor,
    *,
    smoothing: float,
    bias: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Return the cross-entropy against (1 - e) one-hot + e / V, and the plain one beside it.

    Szegedy et al. 2016, https://arxiv.org/abs/1512.00567, section 7. The logits are
    ``hidden @ weight.T + bias``; they never exist as a whole.

    Args:
        hidden: What the output layer reads, (N, D).
        weight: Of the output layer, (V, D).
        targets: True token ids, (N,).
        smoothing: e above.
        bias: Of the output layer, (V,); None for none.

    Returns:
        Both losses in nats, summed over tokens, float32 (). Only the first has a gradient.
    """
    losses = _FusedCrossEntropy.apply(hidden, weight, bias, targets, smoothing)  # type: ignore[no-untyped-call]
    return cast("tuple[Tensor, Tensor]", losses)


class _FusedCrossEntropy(torch.autograd.Function):
    """The loss and, in the same pass over chunks of tokens, its gradients.

    The gradient of the logits, softmax minus the smoothed target, is known with the loss, so
    nothing of size (N, V) has to wait for the backward pass.
    """

    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        targets: Tensor,
        smoothing: float,
    ) -> tuple[Tensor, Tensor]:
        """See `smoothed_cross_entropy`."""
        wanted = any(ctx.needs_input_grad[:3])
        uniform = smoothing / weight.shape[0]
        hidden_gradient = torch.empty_like(hidden)
        weight_gradient = torch.zeros_like(weight, dtype=torch.float32)
        bias_gradient = torch.zeros(weight.shape[0], device=weight.device)
        smoothed = torch.zeros((), device=hidden.device)
        plain = torch.zeros((), device=hidden.device)
        for start in range(0, hidden.shape[0], _CHUNK):
            rows = slice(start, start + _CHUNK)
            chunk, truth = hidden[rows], targets[rows, None]
            logits = functional.linear(chunk, weight, bias)
            log_probabilities = torch.log_softmax(logits.float(), dim=-1)
            nll = -log_probabilities.gather(1, truth).sum()
            plain += nll
            smoothed += (1 - smoothing) * nll
            smoothed -= uniform * log_probabilities.sum()
            if wanted:
                gradient = log_probabilities.exp_().sub_(uniform)
                gradient.scatter_add_(1, truth, gradient.new_full(truth.shape, smoothing - 1))
                if bias is not None:
                    bias_gradient += gradient.sum(dim=0)
                gradient = gradient.to(hidden.dtype)
                hidden_gradient[rows] = gradient @ weight
                weight_gradient += gradient.T @ chunk
        if wanted:
            gradients = hidden_gradient, weight_gradient, bias_gradient
            ctx.save_for_backward(*(gradient.to(weight.dtype) for gradient in gradients))
        ctx.mark_non_differentiable(plain)
        return smoothed, plain

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor | None, None, None]:
        """Scale the gradients of the forward pass."""
        hidden, weight, bias = (saved * gradients[0].to(saved.dtype) for saved in ctx.saved_tensors)
        return hidden, weight, bias if ctx.needs_input_grad[2] else None, None, None
