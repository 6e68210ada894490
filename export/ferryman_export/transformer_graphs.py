"""The Transformer as two graphs: an encoder, and a decoder step for many hypotheses at once.

The modules here hold the submodules of the trained model, so that initializers keep the names of
its parameters, and lay the computation out for ONNX Runtime on a CPU:

* Activations are (tokens, D), so that every projection is one Gemm with a constant, prepacked
  matrix. That kernel gives a row the same bits whatever the other rows are, one row included.
* Keys of the source are written transposed, so that no step transposes them again.
* The hypotheses of one source are the query axis of cross-attention: a beam shares its source's
  keys and values instead of having copies.

Dimension key:
    B: sources    S: source tokens, a multiple of 8    W: hypotheses per source    R: B x W
    D: width    H: heads    K: width of a head    L: decoder layers    C: capacity
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar, cast

import torch
from torch import Tensor, nn

from ferryman_bundle import StateKind, StateTensor
from ferryman_export.cached_attention import CachedAttention
from ferryman_export.head import Head
from ferryman_export.interface import (
    Port,
    StateType,
    encoder_outputs,
    source_bias,
    state_inputs,
    state_outputs,
)
from ferryman_export.projection import Projection, Projections
from ferryman_export.transformer_blocks import (
    DecoderBlock,
    EncoderBlock,
    Past,
    SourceMemory,
    split_heads,
)
from ferryman_training.model_config import TransformerConfig
from ferryman_training.transformer import Transformer
from ferryman_training.transformer_layers import EncoderLayer

T = TypeVar("T")


def state_tensors(config: TransformerConfig, dtype: StateType) -> list[StateTensor]:
    """Declare what the encoder hands over, and what passes from step to step.

    Args:
        config: Of the model.
        dtype: Of keys and values; what marks the padding is float32.
    """
    heads, size = config.heads, config.width // config.heads

    def memory(name: str, shape: tuple[int | str, ...], *, length_axis: int) -> StateTensor:
        return StateTensor(
            name=f"memory.{name}",
            kind=StateKind.MEMORY,
            dtype=dtype,
            shape=shape,
            length_axis=length_axis,
            padding=0.0,
            output=None,
        )

    def cache(name: str) -> StateTensor:
        return StateTensor(
            name=f"cache.{name}",
            kind=StateKind.CACHE,
            dtype=dtype,
            shape=("hypotheses", heads, "capacity", size),
            length_axis=2,
            padding=0.0,
            output=f"present.{name}",
        )

    layers = range(config.decoder_layers)
    return [
        *(
            memory(f"{i}.key", ("sources", heads, size, "source_length"), length_axis=3)
            for i in layers
        ),
        *(
            memory(f"{i}.value", ("sources", heads, "source_length", size), length_axis=2)
            for i in layers
        ),
        source_bias(("sources", 1, 1, "source_length")),
        *(cache(f"{i}.key") for i in layers),
        *(cache(f"{i}.value") for i in layers),
    ]


class EncoderGraph(nn.Module):
    """Reads sources into the memory that every decoder step attends to.

    Args:
        model: The trained model, with the values that the bundle stores.
        projections: How to compute the linear layers.
        state: As declared.
    """

    def __init__(
        self, model: Transformer, projections: Projections, state: Sequence[StateTensor]
    ) -> None:
        super().__init__()
        self.config = model.config
        self.state = state
        self.embedding = projections.embedding(model.source_embedding.weight)
        self.positions = model.encoder_positions
        self.layers = nn.ModuleList(
            EncoderBlock(layer, projections, f"encoder.{i}")
            for i, layer in enumerate(cast("Iterable[EncoderLayer]", model.encoder))
        )
        self.norm = model.encoder_norm
        self.cross_kv = _side_by_side(
            [layer.cross.kv for layer in model.decoder_layers], projections, "decoder.0.cross.kv"
        )

    def inputs(self) -> list[Port]:
        """Token ids that end with the end of sentence, and 1 for each, 0 for padding."""
        shape = ("sources", "source_length")
        return [Port("input_ids", torch.int64, shape), Port("attention_mask", torch.int64, shape)]

    def outputs(self) -> list[Port]:
        """The memory."""
        return encoder_outputs(self.state)

    def arguments(self, values: Sequence[T]) -> tuple[T, ...]:
        """Arrange one value per input the way `forward` takes them."""
        return tuple(values)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, ...]:
        """Return the memory in the order of `outputs`."""
        batch, length = input_ids.shape
        width, layers = self.config.width, self.config.decoder_layers
        bias = torch.where(attention_mask == 0, float("-inf"), 0.0)[:, None, None, :]
        positions = torch.arange(length)
        rotation = self.positions.rotation(positions)
        x = self.positions(self.embedding(input_ids) * width**0.5, positions).flatten(0, 1)
        for layer in cast("Iterable[EncoderBlock]", self.layers):
            x = layer(x, bias, rotation)
        parts = self.cross_kv(self.norm(x)).chunk(2 * layers, dim=-1)
        parts = [split_heads(part, (batch, length), self.config.heads) for part in parts]
        keys = [part.permute(0, 2, 3, 1) for part in parts[0::2]]
        values = [part.transpose(1, 2) for part in parts[1::2]]
        return (*keys, *values, bias)


class StepGraph(nn.Module):
    """Extends every hypothesis by one token.

    Args:
        model: The trained model, with the values that the bundle stores.
        projections: How to compute the linear layers.
        state: As declared.
        head: What becomes of the last hidden state.
        attention: How to attend to the caches.
    """

    def __init__(
        self,
        model: Transformer,
        projections: Projections,
        state: Sequence[StateTensor],
        *,
        head: Head,
        attention: CachedAttention,
    ) -> None:
        super().__init__()
        self.config = model.config
        self.state = state
        self.embedding = projections.embedding(model.target_embedding.weight)
        self.positions = model.decoder_positions
        self.layers = nn.ModuleList(
            DecoderBlock(layer, projections, f"decoder.{i}", attention=attention)
            for i, layer in enumerate(model.decoder_layers)
        )
        self.norm = model.decoder_norm
        self.head = head

    def inputs(self) -> list[Port]:
        """The newest token of every hypothesis, how far each has come, the head's, the state."""
        return [
            Port("input_ids", torch.int64, ("sources", "width")),
            Port("past_lengths", torch.int32, ("hypotheses",)),
            Port("total_length", torch.int32, (1,)),
            *self.head.inputs(),
            *state_inputs(self.state, StateKind.MEMORY, StateKind.CACHE),
        ]

    def outputs(self) -> list[Port]:
        """What the head returns, and the caches with one position more."""
        return [*self.head.outputs(), *state_outputs(self.state)]

    def arguments(self, values: Sequence[T]) -> tuple[T | list[T], ...]:
        """Arrange one value per input the way `forward` takes them: most of them as lists."""
        first_memory = 3 + len(self.head.inputs())
        first_cache = first_memory + 2 * self.config.decoder_layers + 1
        return (
            *values[:3],
            list(values[3:first_memory]),
            list(values[first_memory:first_cache]),
            list(values[first_cache:]),
        )

    def forward(
        self,
        input_ids: Tensor,
        past_lengths: Tensor,
        total_length: Tensor,
        asked: list[Tensor],
        memory: list[Tensor],
        cache: list[Tensor],
    ) -> tuple[Tensor, ...]:
        """Return the outputs in the order of `outputs`."""
        width, layers = self.config.width, self.config.decoder_layers
        *memory, bias = memory
        rotation = self.positions.rotation(past_lengths.unsqueeze(1))
        past = Past(past_lengths, total_length, rotation)
        x = self.positions(self.embedding(input_ids.reshape(-1)) * width**0.5, past_lengths)
        present: list[tuple[Tensor, Tensor]] = []
        for i, layer in enumerate(cast("Iterable[DecoderBlock]", self.layers)):
            x, grown = layer(
                x,
                cache=(cache[i], cache[layers + i]),
                past=past,
                memory=SourceMemory(memory[i], memory[layers + i], bias),
                width=input_ids.shape[1],
            )
            present.append(grown)
        return (
            *self.head(self.norm(x), asked),
            *(keys for keys, _ in present),
            *(values for _, values in present),
        )


def _side_by_side(layers: Sequence[nn.Linear], projections: Projections, name: str) -> Projection:
    """Return one projection that computes all of these at once, outputs side by side."""
    weight = torch.cat([layer.weight for layer in layers])
    return projections.linear(name, weight, torch.cat([layer.bias for layer in layers]))
