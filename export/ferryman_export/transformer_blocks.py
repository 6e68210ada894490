"""The layers of the Transformer, laid out for graphs.

Dimension key:
    B: sources    S: source tokens    W: hypotheses per source    T: queries of a source
    R: B x W    D: width    H: heads    K: width of a head    C: capacity
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ferryman_export.operators import group_query_attention
from ferryman_export.projection import Projections
from ferryman_training.transformer import DecoderLayer, EncoderLayer, FeedForward


class Past(NamedTuple):
    """How far the hypotheses have come."""

    lengths: Tensor
    """Positions that the caches of each row hold, int32 (R,)."""
    total: Tensor
    """The greatest length plus one, int32 (1,)."""


class EncoderBlock(nn.Module):
    """Self-attention and feed-forward.

    Args:
        layer: The trained layer.
        projections: How to compute the linear layers.
        name: Of the layer.
    """

    def __init__(self, layer: EncoderLayer, projections: Projections, name: str) -> None:
        super().__init__()
        attention = layer.attention
        self.heads = attention.heads
        self.attention_norm = layer.attention_norm
        self.qkv = _project(attention.qkv, projections, f"{name}.attention.qkv")
        self.output = _project(attention.output, projections, f"{name}.attention.output")
        self.feed_forward_norm = layer.feed_forward_norm
        self.feed_forward = FeedForwardBlock(
            layer.feed_forward, projections, f"{name}.feed_forward"
        )

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        """Apply the layer.

        Args:
            x: (B x S, D).
            bias: 0 on tokens, minus infinity on padding, (B, 1, 1, S).
        """
        shape = bias.shape[0], bias.shape[3]
        parts = self.qkv(self.attention_norm(x)).chunk(3, dim=-1)
        query, keys, values = (split_heads(part, shape, self.heads) for part in parts)
        attended = attend(
            query.transpose(1, 2), keys.permute(0, 2, 3, 1), values.transpose(1, 2), bias
        )
        x = x + self.output(attended)
        y: Tensor = x + self.feed_forward(self.feed_forward_norm(x))
        return y


class DecoderBlock(nn.Module):
    """Self-attention over the cache, attention to the memory, feed-forward: one token a row.

    Args:
        layer: The trained layer.
        projections: How to compute the linear layers.
        name: Of the layer.
    """

    def __init__(self, layer: DecoderLayer, projections: Projections, name: str) -> None:
        super().__init__()
        attention, cross = layer.attention, layer.cross
        self.heads = attention.heads
        self.attention_norm = layer.attention_norm
        self.qkv = _project(attention.qkv, projections, f"{name}.attention.qkv")
        self.output = _project(attention.output, projections, f"{name}.attention.output")
        self.cross_norm = layer.cross_norm
        self.cross_query = _project(cross.query, projections, f"{name}.cross.query")
        self.cross_output = _project(cross.output, projections, f"{name}.cross.output")
        self.feed_forward_norm = layer.feed_forward_norm
        self.feed_forward = FeedForwardBlock(
            layer.feed_forward, projections, f"{name}.feed_forward"
        )

    def forward(
        self,
        x: Tensor,
        *,
        cache: tuple[Tensor, Tensor],
        past: Past,
        memory: tuple[Tensor, Tensor, Tensor],
        shape: Sequence[int],
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Apply the layer.

        Args:
            x: (R, D).
            cache: Keys and values of the target so far, (R, H, C, K) each.
            past: How far the rows have come.
            memory: Keys (B, H, K, S), values (B, H, S, K) and bias (B, 1, 1, S) of the sources.
            shape: B and W.

        Returns:
            (R, D), and the cache with one position more.
        """
        attended, keys, values = group_query_attention(
            self.qkv(self.attention_norm(x)).unsqueeze(1),
            cache=cache,
            past_lengths=past.lengths,
            total_length=past.total,
            heads=self.heads,
        )
        x = x + self.output(attended.squeeze(1))
        query = split_heads(self.cross_query(self.cross_norm(x)), shape, self.heads)
        x = x + self.cross_output(attend(query.transpose(1, 2), *memory))
        y: Tensor = x + self.feed_forward(self.feed_forward_norm(x))
        return y, (keys, values)


class FeedForwardBlock(nn.Module):
    """Two projections with a ReLU between them.

    Args:
        block: The trained block.
        projections: How to compute the linear layers.
        name: Of the block.
    """

    def __init__(self, block: FeedForward, projections: Projections, name: str) -> None:
        super().__init__()
        self.expand = _project(block.expand, projections, f"{name}.expand")
        self.contract = _project(block.contract, projections, f"{name}.contract")

    def forward(self, x: Tensor) -> Tensor:
        """(M, D) -> (M, D)."""
        hidden = self.expand(x)
        if not self.contract.clips_negatives:
            hidden = torch.relu(hidden)
        contracted: Tensor = self.contract(hidden)
        return contracted


def split_heads(x: Tensor, shape: Sequence[int], heads: int) -> Tensor:
    """Split the width into heads and the rows into `shape`, (B x T, D) -> (B, T, H, K)."""
    return x.view(*shape, heads, x.shape[-1] // heads)


def attend(query: Tensor, keys: Tensor, values: Tensor, bias: Tensor) -> Tensor:
    """Scaled dot-product attention, always with the bias.

    With and without a bias other kernels run, whose bits differ: whether it is there must not
    depend on whether the company of a sentence has padding.

    Args:
        query: (B, H, T, K).
        keys: Transposed, (B, H, K, S).
        values: (B, H, S, K).
        bias: (B, 1, 1, S).

    Returns:
        (B x T, D).
    """
    weights = torch.softmax((query * query.shape[-1] ** -0.5) @ keys + bias, dim=-1)
    attended = (weights @ values).transpose(1, 2)
    return attended.reshape(-1, attended.shape[2] * attended.shape[3])


def _project(layer: nn.Linear, projections: Projections, name: str) -> nn.Module:
    return projections.linear(name, layer.weight, layer.bias)
