"""A recurrent model as graphs: an encoder, and a decoder step for many hypotheses at once.

What the decoder begins with comes out of the encoder under the names of the recurrent state, one
row for each source; a server gives it to every hypothesis of that source.

Dimension key:
    B: sources    S: source tokens, a multiple of 8    W: hypotheses per source    R: B x W
    D: width    L: decoder layers
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

import torch
from torch import Tensor, nn

from ferryman_bundle import StateKind, StateTensor
from ferryman_export.head import Head
from ferryman_export.interface import (
    Port,
    StateType,
    encoder_outputs,
    source_bias,
    state_inputs,
    state_outputs,
)
from ferryman_export.projection import Projections
from ferryman_export.recurrences import SourceLayer
from ferryman_export.recurrent_steps import LayerState, SourceMemory, decoder_step
from ferryman_training.model_config import RecurrentConfig
from ferryman_training.recurrent import Recurrent
from ferryman_training.recurrent_attention import AdditiveScore
from ferryman_training.recurrent_encoder import Encoded

T = TypeVar("T")


def state_tensors(model: Recurrent, dtype: StateType) -> list[StateTensor]:
    """Declare what the encoder hands over, and what passes from step to step.

    Args:
        model: The trained model.
        dtype: Of everything but what marks the padding.
    """
    width, length = model.config.width, "source_length"

    def memory(name: str, shape: tuple[int | str, ...]) -> StateTensor:
        return StateTensor(
            name=f"memory.{name}",
            kind=StateKind.MEMORY,
            dtype=dtype,
            shape=("sources", *shape),
            length_axis=1 + shape.index(length),
            padding=0.0,
            output=None,
        )

    recurrent = [
        StateTensor(
            name=f"recurrent.{name}",
            kind=StateKind.RECURRENT,
            dtype=dtype,
            shape=("hypotheses", width),
            length_axis=None,
            padding=0.0,
            output=f"present.{name}",
        )
        for name in _recurrent_names(model.config)
    ]
    if model.decoder.score is None:
        return recurrent
    additive = isinstance(model.decoder.score, AdditiveScore)
    return [
        memory("key", (length, width) if additive else (width, length)),
        memory("value", (length, width)),
        source_bias(("sources", 1, length)),
        *recurrent,
    ]


def _recurrent_names(config: RecurrentConfig) -> Iterator[str]:
    """Yield the recurrent tensors, layer by layer."""
    for layer in range(config.decoder_layers):
        yield f"{layer}.hidden"
        if config.cell == "lstm":
            yield f"{layer}.cell"
    if config.input_feeding:
        yield "feed"


class EncoderGraph(nn.Module):
    """Reads sources into the memory of attention, and into the first state of the decoder.

    Args:
        model: The trained model, with the values that the bundle stores.
        projections: How to compute the linear layers, but for those of recurrences and bridge.
        state: As declared.
    """

    def __init__(
        self, model: Recurrent, projections: Projections, state: Sequence[StateTensor]
    ) -> None:
        super().__init__()
        self.config = model.config
        self.state = state
        self.embedding = projections.embedding(model.source_embedding.weight)
        stack = model.encoder.rnn
        self.layers = nn.ModuleList(SourceLayer(stack, i) for i in range(stack.num_layers))
        self.bridge = model.bridge
        self.compare = decoder_step(model, projections).compare

    def inputs(self) -> list[Port]:
        """Token ids that end with the end of sentence, and 1 for each, 0 for padding."""
        shape = ("sources", "source_length")
        return [Port("input_ids", torch.int64, shape), Port("attention_mask", torch.int64, shape)]

    def outputs(self) -> list[Port]:
        """The memory, and the first recurrent state."""
        return encoder_outputs(self.state)

    def arguments(self, values: Sequence[T]) -> tuple[T, ...]:
        """Arrange one value per input the way `forward` takes them."""
        return tuple(values)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, ...]:
        """Return memory and first state in the order of `outputs`."""
        memory, states, feed = self.read(input_ids, attention_mask)
        return (
            *(memory or ()),
            *(tensor for state in states for tensor in state),
            *(() if feed is None else (feed,)),
        )

    def read(
        self, input_ids: Tensor, attention_mask: Tensor
    ) -> tuple[SourceMemory | None, list[LayerState], Tensor | None]:
        """Return the memory and the first state of every layer, and of input feeding.

        Args:
            input_ids: (B, S).
            attention_mask: (B, S).
        """
        lengths = attention_mask.sum(dim=1).to(torch.int32)
        mask = (attention_mask.t() != 0)[:, :, None]
        x = self.embedding(input_ids.t()) * self.config.width**0.5
        last: list[tuple[Tensor, ...]] = []
        for layer in self.layers:
            x, states = layer(x, lengths, mask)
            # Both directions side by side, (N, B, U) -> (B, D).
            last.append(tuple(s.transpose(0, 1).reshape(s.shape[1], -1) for s in states))
        states = self._bridge(x, last)
        feed = torch.zeros_like(states[0][0]) if self.config.input_feeding else None
        if self.compare is None:
            return None, states, feed
        bias = torch.where(attention_mask == 0, float("-inf"), 0.0)[:, None, :]
        return SourceMemory(self.compare.keys(x), x.transpose(0, 1), bias), states, feed

    def _bridge(self, outputs: Tensor, last: Sequence[tuple[Tensor, ...]]) -> list[LayerState]:
        """Return the decoder's first states, (B, D) each, from the encoder's last ones."""
        hidden, *cell = (torch.stack(tensors, dim=1) for tensors in zip(*last, strict=True))
        encoded = Encoded(outputs.transpose(0, 1), hidden, cell[0] if cell else hidden[:, :0])
        hidden, cells = self.bridge(encoded)
        if not cell:
            return [(h,) for h in hidden.unbind(dim=1)]
        return list(zip(hidden.unbind(dim=1), cells.unbind(dim=1), strict=True))


class StepGraph(nn.Module):
    """Extends every hypothesis by one token.

    Args:
        model: The trained model, with the values that the bundle stores.
        projections: How to compute the linear layers.
        state: As declared.
        head: What becomes of the last hidden state.
    """

    def __init__(
        self,
        model: Recurrent,
        projections: Projections,
        state: Sequence[StateTensor],
        *,
        head: Head,
    ) -> None:
        super().__init__()
        self.config = model.config
        self.state = state
        self.embedding = projections.embedding(model.target_embedding.weight)
        self.step = decoder_step(model, projections)
        self.head = head

    def inputs(self) -> list[Port]:
        """The newest token of every hypothesis, the head's, the state.

        How far each hypothesis has come is an input of every step graph; this one does not read it.
        """
        return [
            Port("input_ids", torch.int64, ("sources", "width")),
            Port("past_lengths", torch.int32, ("hypotheses",)),
            Port("total_length", torch.int32, (1,)),
            *self.head.inputs(),
            *state_inputs(self.state, StateKind.MEMORY, StateKind.RECURRENT),
        ]

    def outputs(self) -> list[Port]:
        """What the head returns, and the recurrent state after the step."""
        return [*self.head.outputs(), *state_outputs(self.state)]

    def arguments(self, values: Sequence[T]) -> tuple[T | list[T], ...]:
        """Arrange one value per input the way `forward` takes them: head's and state as lists."""
        first_state = 3 + len(self.head.inputs())
        return (*values[:3], list(values[3:first_state]), list(values[first_state:]))

    def forward(
        self,
        input_ids: Tensor,
        past_lengths: Tensor,  # noqa: ARG002
        total_length: Tensor,  # noqa: ARG002
        asked: list[Tensor],
        state: list[Tensor],
    ) -> tuple[Tensor, ...]:
        """Return the outputs in the order of `outputs`."""
        memory, states, feed = self._parts(state)
        embedded = self.embedding(input_ids.reshape(-1)) * self.config.width**0.5
        stepped = self.step(embedded, states, feed, memory)
        return (
            *self.head(stepped.hidden, asked),
            *(tensor for state in stepped.states for tensor in state),
            *(() if stepped.feed is None else (stepped.feed,)),
        )

    def _parts(
        self, state: Sequence[Tensor]
    ) -> tuple[SourceMemory | None, list[LayerState], Tensor | None]:
        """Tell memory, the states of the layers and what is fed apart, in declared order."""
        memory = None if self.step.compare is None else SourceMemory(*state[:3])
        carried = list(state if memory is None else state[3:])
        feed = carried.pop() if self.config.input_feeding else None
        per_layer = len(carried) // self.config.decoder_layers
        states = [tuple(carried[i : i + per_layer]) for i in range(0, len(carried), per_layer)]
        return memory, states, feed
