"""Multi-head attention (Vaswani et al. 2017, https://arxiv.org/abs/1706.03762, section 3.2).

Dimension key:
    B: sentences    S: source tokens    T: target tokens    D: width    H: heads
    K: width of a head
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from ferryman_training.positions import Rotation, rotate


def attend(query: Tensor, keys: Tensor, values: Tensor, bias: Tensor | None) -> Tensor:
    """Scaled dot-product attention, equation 1.

    Written out rather than called: the fused kernel's bfloat16 backward pass on a CPU takes 38 %
    of a training step.

    Args:
        query: (B, H, T, K).
        keys: (B, H, S, K).
        values: (B, H, S, K).
        bias: Added to the scores, broadcast to (B, H, T, S); None for none.

    Returns:
        (B, H, T, K).
    """
    return attention_weights(query, keys, bias) @ values


def attention_weights(query: Tensor, keys: Tensor, bias: Tensor | None) -> Tensor:
    """The softmax of equation 1; arguments as for `attend`, the result (B, H, T, S)."""
    return torch.softmax(attention_scores(query, keys, bias), dim=-1)


def attention_scores(query: Tensor, keys: Tensor, bias: Tensor | None) -> Tensor:
    """What the softmax of equation 1 is taken of; as `attention_weights`."""
    scores: Tensor = (query * query.shape[-1] ** -0.5) @ keys.transpose(-1, -2)
    return scores if bias is None else scores + bias


def split_heads(x: Tensor, heads: int) -> Tensor:
    """(B, T, D) -> (B, H, T, K)."""
    batch, length, width = x.shape
    return x.view(batch, length, heads, width // heads).transpose(1, 2)


def merge_heads(x: Tensor) -> Tensor:
    """(B, H, T, K) -> (B, T, D)."""
    batch, heads, length, size = x.shape
    return x.transpose(1, 2).reshape(batch, length, heads * size)


class SelfAttention(nn.Module):
    """Multi-head self-attention with query, key and value projections in one matrix."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.output = nn.Linear(width, width)

    def project(self, x: Tensor, rotation: Rotation | None) -> tuple[Tensor, Tensor, Tensor]:
        """Return queries, keys and values.

        Args:
            x: (B, T, D).
            rotation: Of the T positions; None where queries and keys are not turned.

        Returns:
            (B, H, T, K) each.
        """
        parts = self.qkv(x).chunk(3, dim=-1)
        query, keys, values = (split_heads(part, self.heads) for part in parts)
        if rotation is not None:
            query, keys = rotate(query, rotation), rotate(keys, rotation)
        return query, keys, values

    def attend(self, query: Tensor, keys: Tensor, values: Tensor, bias: Tensor | None) -> Tensor:
        """Attend and go through the output projection.

        Args:
            query: (B, H, T, K).
            keys: (B, H, S, K).
            values: (B, H, S, K).
            bias: See `attend`.

        Returns:
            (B, T, D).
        """
        attended: Tensor = self.output(merge_heads(attend(query, keys, values, bias)))
        return attended

    def forward(self, x: Tensor, bias: Tensor | None, rotation: Rotation | None) -> Tensor:
        """Attend from every position to every one that the bias allows, (B, T, D)."""
        return self.attend(*self.project(x, rotation), bias)


class CrossAttention(nn.Module):
    """Multi-head attention from the target to the source."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.kv = nn.Linear(width, 2 * width)
        self.output = nn.Linear(width, width)

    def memory(self, encoded: Tensor) -> tuple[Tensor, Tensor]:
        """(B, S, D) -> keys and values, (B, H, S, K) each."""
        keys, values = self.kv(encoded).chunk(2, dim=-1)
        return split_heads(keys, self.heads), split_heads(values, self.heads)

    def forward(self, x: Tensor, keys: Tensor, values: Tensor, bias: Tensor) -> Tensor:
        """Attend from every target position to the source, (B, T, D)."""
        query = split_heads(self.query(x), self.heads)
        attended: Tensor = self.output(merge_heads(attend(query, keys, values, bias)))
        return attended

    def weights(self, x: Tensor, keys: Tensor, bias: Tensor) -> Tensor:
        """Return what `forward` looks at, (B, H, T, S)."""
        return attention_weights(split_heads(self.query(x), self.heads), keys, bias)

    def log_weights(self, x: Tensor, keys: Tensor, bias: Tensor, *, head: int) -> Tensor:
        """Return the logarithm of what one head looks at, float32 (B, T, S)."""
        size = keys.shape[-1]
        rows = slice(head * size, (head + 1) * size)
        query = functional.linear(x, self.query.weight[rows], self.query.bias[rows])
        scores = attention_scores(query, keys[:, head], bias[:, 0])
        return torch.log_softmax(scores.float(), dim=-1)
