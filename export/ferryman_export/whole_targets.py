"""Whole targets through the decoder of a Transformer, all positions at once.

Laid out as the other graphs are, so that it reads the matrices that they read: the projection of
queries has the same power of two in it (see `transformer_blocks.DecoderBlock`), and nothing is
stored twice.

Dimension key:
    B: sources    S: source tokens    T: target tokens    D: width    H: heads    K: width of a head
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import cast

import torch
from torch import Tensor, nn

from ferryman_bundle import StateTensor
from ferryman_export.projection import FloatProjections, Projections
from ferryman_export.transformer_blocks import (
    Block,
    SourceMemory,
    attend,
    attention_scale,
    project,
    query_power,
    split_heads,
)
from ferryman_export.transformer_graphs import EncoderGraph
from ferryman_training.positions import Rotation
from ferryman_training.transformer import Transformer
from ferryman_training.transformer_layers import DecoderLayer


class WholeTargets(nn.Module):
    """Targets through a Transformer, all positions at once.

    Args:
        model: The trained model, with the values that the bundle stores.
        state: As declared.
    """

    def __init__(self, model: Transformer, state: Sequence[StateTensor]) -> None:
        super().__init__()
        self.config = model.config
        projections = FloatProjections()
        self.encoder = EncoderGraph(model, projections, state)
        self.embedding = projections.embedding(model.target_embedding.weight)
        self.positions = model.decoder_positions
        self.layers = nn.ModuleList(
            TargetBlock(layer, projections, f"decoder.{i}")
            for i, layer in enumerate(model.decoder_layers)
        )
        self.norm = model.decoder_norm

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, target_ids: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return what the output layer reads, (B x T, D), and weights of attention, (B, T, S).

        Those are of the aligned head, or the mean over the heads of the last layer.
        """
        *parts, bias = self.encoder(input_ids, attention_mask)
        count, length = len(parts) // 2, target_ids.shape[1]
        positions = torch.arange(length)
        rotation = self.positions.rotation(positions)
        x = self.embedding(target_ids) * self.config.width**0.5
        x = self.positions(x, positions).flatten(0, 1)
        future = torch.full((length, length), float("-inf")).triu(1)[None, None]
        looks = []
        for i, layer in enumerate(cast("Iterable[TargetBlock]", self.layers)):
            memory = SourceMemory(parts[i], parts[count + i], bias)
            x, weights = layer(x, future, rotation, memory)
            looks.append(weights)
        aligned = self.config.aligned_head
        seen = looks[-1].mean(dim=1) if aligned is None else looks[aligned.layer][:, aligned.head]
        return self.norm(x), seen


class TargetBlock(Block):
    """Self-attention over a whole target, attention to the memory, feed-forward.

    Args:
        layer: The trained layer.
        projections: How to compute the linear layers.
        name: Of the layer in the model.
    """

    layer: DecoderLayer

    def __init__(self, layer: DecoderLayer, projections: Projections, name: str) -> None:
        super().__init__(layer, projections, name)
        query = layer.cross.query
        head_width = query.out_features // self.heads
        power = query_power(head_width)
        self.cross_scale = attention_scale(head_width) / power
        self.cross_query = projections.linear(
            f"{name}.cross.query", query.weight * power, query.bias * power
        )
        self.cross_output = project(layer.cross.output, projections, f"{name}.cross.output")

    def forward(
        self, x: Tensor, future: Tensor, rotation: Rotation | None, memory: SourceMemory
    ) -> tuple[Tensor, Tensor]:
        """Apply the layer.

        Args:
            x: (B x T, D).
            future: Minus infinity on later positions, (1, 1, T, T).
            rotation: Of the positions, (T, K / 2) each; None where none is turned.
            memory: Of the sources.

        Returns:
            (B x T, D), and what each head looks at, (B, H, T, S).
        """
        layer, shape = self.layer, (memory.bias.shape[0], future.shape[3])
        x = self.attend_among(x, shape, future, rotation)
        query = self.cross_query(layer.before(layer.cross_norm, x))
        query = split_heads(query, shape, self.heads).transpose(1, 2) * self.cross_scale
        weights = torch.softmax(query @ memory.keys + memory.bias, dim=-1)
        attended = attend(query, memory, scale=1.0)
        x = layer.after(layer.cross_norm, x, self.cross_output(attended))
        return self.feed(x), weights
