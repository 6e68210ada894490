"""The layers of the Transformer, laid out for graphs.

What a model chooses (where it normalises, how it activates, how it tells positions) is computed by
the trained modules themselves; only the linear layers and attention are laid out anew.

Dimension key:
    B: sources    S: source tokens    W: hypotheses per source    T: queries of a source
    R: B x W    D: width    H: heads    K: width of a head    C: capacity
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ferryman_export.cached_attention import CachedAttention
from ferryman_export.projection import Projection, Projections
from ferryman_training.feed_forward import FeedForward
from ferryman_training.positions import Rotation, rotate
from ferryman_training.transformer_layers import DecoderLayer, EncoderLayer, Layer


class Past(NamedTuple):
    """How far the hypotheses have come."""

    lengths: Tensor
    """Positions that the caches of each row hold, int32 (R,)."""
    total: Tensor
    """The greatest length plus one, int32 (1,)."""
    rotation: Rotation | None
    """Of the newest position of each row, (R, 1, 1, K / 2) each; None where none is turned."""


class SourceMemory(NamedTuple):
    """What a decoder layer knows of the sources."""

    keys: Tensor
    """Transposed, (B, H, K, S)."""
    values: Tensor
    """(B, H, S, K)."""
    bias: Tensor
    """0 on tokens, minus infinity on padding, (B, 1, 1, S)."""


class Block(nn.Module):
    """What every layer has.

    Args:
        layer: The trained layer.
        projections: How to compute the linear layers.
        name: Of the layer in the model.
    """

    def __init__(self, layer: Layer, projections: Projections, name: str) -> None:
        super().__init__()
        attention = layer.attention
        self.layer = layer
        self.heads = attention.heads
        self.qkv = project(attention.qkv, projections, f"{name}.attention.qkv")
        self.output = project(attention.output, projections, f"{name}.attention.output")
        self.feed_forward = FeedForwardBlock(
            layer.feed_forward, projections, f"{name}.feed_forward"
        )

    def attend_among(
        self, x: Tensor, shape: tuple[int, int], bias: Tensor, rotation: Rotation | None
    ) -> Tensor:
        """Self-attention over whole sentences and the way around it.

        Args:
            x: (B x T, D).
            shape: B and T.
            bias: 0 where a token may look, minus infinity elsewhere, broadcast to (B, 1, T, T).
            rotation: Of the positions, (T, K / 2) each; None where none is turned.

        Returns:
            (B x T, D).
        """
        norm = self.layer.attention_norm
        parts = self.qkv(self.layer.before(norm, x)).chunk(3, dim=-1)
        query, keys, values = (
            split_heads(part, shape, self.heads).transpose(1, 2) for part in parts
        )
        if rotation is not None:
            query, keys = rotate(query, rotation), rotate(keys, rotation)
        memory = SourceMemory(keys.transpose(2, 3), values, bias)
        attended = attend(query, memory, scale=attention_scale(query.shape[-1]))
        return self.layer.after(norm, x, self.output(attended))

    def feed(self, x: Tensor) -> Tensor:
        """The feed-forward block and the way around it, (M, D) -> (M, D)."""
        norm = self.layer.feed_forward_norm
        return self.layer.after(norm, x, self.feed_forward(self.layer.before(norm, x)))


class EncoderBlock(Block):
    """Self-attention and feed-forward."""

    layer: EncoderLayer

    def forward(self, x: Tensor, bias: Tensor, rotation: Rotation | None) -> Tensor:
        """Apply the layer.

        Args:
            x: (B x S, D).
            bias: 0 on tokens, minus infinity on padding, (B, 1, 1, S).
            rotation: Of the positions, (S, K / 2) each; None where none is turned.
        """
        return self.feed(self.attend_among(x, (bias.shape[0], bias.shape[3]), bias, rotation))


class DecoderBlock(Block):
    """Self-attention over the cache, attention to the memory, feed-forward: one token a row.

    Args:
        layer: The trained layer.
        projections: How to compute the linear layers.
        name: Of the layer in the model.
        attention: How to attend to the cache.
    """

    layer: DecoderLayer

    def __init__(
        self,
        layer: DecoderLayer,
        projections: Projections,
        name: str,
        *,
        attention: CachedAttention,
    ) -> None:
        super().__init__(layer, projections, name)
        self.attention = attention
        # Scores are scaled by K^-0.5. The power of two in that goes into the query's projection,
        # where it changes no mantissa; for K = 64 it is all of it. A scale in the product itself
        # would keep ONNX Runtime from its kernel for a single query.
        head_width = layer.cross.query.out_features // self.heads
        power = query_power(head_width)
        self.cross_scale = attention_scale(head_width) / power
        self.cross_query = projections.linear(
            f"{name}.cross.query", layer.cross.query.weight * power, layer.cross.query.bias * power
        )
        self.cross_output = project(layer.cross.output, projections, f"{name}.cross.output")

    def forward(
        self,
        x: Tensor,
        *,
        cache: tuple[Tensor, Tensor],
        past: Past,
        memory: SourceMemory,
        width: int,
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Apply the layer.

        Args:
            x: (R, D).
            cache: Keys and values of the target so far, (R, H, C, K) each.
            past: How far the rows have come.
            memory: Of the sources.
            width: W.

        Returns:
            (R, D), and the cache with one position more.
        """
        layer = self.layer
        attended, *grown = self.attention(
            self._queries_keys_values(layer.before(layer.attention_norm, x), past.rotation),
            cache=cache,
            past_lengths=past.lengths,
            total_length=past.total,
            heads=self.heads,
        )
        x = layer.after(layer.attention_norm, x, self.output(attended.squeeze(1)))
        query = self.cross_query(layer.before(layer.cross_norm, x))
        query = split_heads(query, (memory.bias.shape[0], width), self.heads).transpose(1, 2)
        attended = attend(query, memory, scale=self.cross_scale)
        x = layer.after(layer.cross_norm, x, self.cross_output(attended))
        return self.feed(x), (grown[0], grown[1])

    def _queries_keys_values(self, x: Tensor, rotation: Rotation | None) -> Tensor:
        """Return the three side by side, (R, 1, 3 D), from (R, D)."""
        qkv: Tensor = self.qkv(x)
        if rotation is not None:
            parts = [
                split_heads(part, (x.shape[0], 1), self.heads).transpose(1, 2)
                for part in qkv.chunk(3, dim=-1)
            ]
            turned = rotate(parts[0], rotation), rotate(parts[1], rotation), parts[2]
            qkv = torch.cat([part.flatten(1) for part in turned], dim=-1)
        return qkv.unsqueeze(1)


class FeedForwardBlock(nn.Module):
    """Two projections with the activation between them.

    Args:
        block: The trained block.
        projections: How to compute the linear layers.
        name: Of the block in the model.
    """

    def __init__(self, block: FeedForward, projections: Projections, name: str) -> None:
        super().__init__()
        self.block = block
        self.expand = project(block.expand, projections, f"{name}.expand")
        self.contract = project(block.contract, projections, f"{name}.contract")

    def forward(self, x: Tensor) -> Tensor:
        """(M, D) -> (M, D)."""
        hidden = self.expand(x)
        if not (self.block.activation == "relu" and self.contract.clips_negatives):
            hidden = self.block.activate(hidden)
        contracted: Tensor = self.contract(hidden)
        return contracted


def split_heads(x: Tensor, shape: Sequence[int], heads: int) -> Tensor:
    """Split the width into heads and the rows into `shape`, (B x T, D) -> (B, T, H, K)."""
    return x.view(*shape, heads, x.shape[-1] // heads)


def attention_scale(head_width: int) -> float:
    """Return what scores are multiplied by: K^-0.5."""
    return 1.0 / math.sqrt(head_width)


def query_power(head_width: int) -> float:
    """Return the part of `attention_scale` that is in the query's projection, a power of two."""
    return 2.0 ** round(math.log2(attention_scale(head_width)))


def attend(query: Tensor, memory: SourceMemory, *, scale: float) -> Tensor:
    """Scaled dot-product attention, always with the bias.

    With and without a bias other kernels run, whose bits differ: whether it is there must not
    depend on whether the company of a sentence has padding.

    Args:
        query: (B, H, T, K).
        memory: What to attend to.
        scale: What scores are still to be multiplied by.

    Returns:
        (B x T, D).
    """
    if scale != 1.0:
        query = query * scale
    # The bias is float32, so the softmax is: in float16 its sum would lose the small ones.
    scores = query @ memory.keys + memory.bias
    weights = torch.softmax(scores, dim=-1).to(memory.values.dtype)
    attended = (weights @ memory.values).transpose(1, 2)
    return attended.reshape(-1, attended.shape[2] * attended.shape[3])


def project(layer: nn.Linear, projections: Projections, name: str) -> Projection:
    """Return a trained layer in the precision of a variant."""
    return projections.linear(name, layer.weight, layer.bias)
