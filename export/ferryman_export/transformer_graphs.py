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
    V: vocabulary    k: candidates
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar, cast

import torch
from torch import Tensor, nn

from ferryman_bundle import StateKind, StateTensor
from ferryman_export.errors import ExportError
from ferryman_export.interface import Port
from ferryman_export.operators import group_query_attention, top_k
from ferryman_training.decoding import NEVER_GENERATED
from ferryman_training.model_config import TransformerConfig
from ferryman_training.positions import sinusoids
from ferryman_training.transformer import Transformer
from ferryman_training.transformer_layers import DecoderLayer, EncoderLayer

T = TypeVar("T")


_WITH_GRAPHS = {
    "norm": "pre",
    "positions": "sinusoidal",
    "activation": "relu",
    "tied_embeddings": "all",
}
"""Of each choice that a model has, the one that the graphs know."""


def require_graphs(config: TransformerConfig) -> None:
    """Make sure that the graphs here compute what a model of this config does.

    Raises:
        ExportError: They do not; all reasons are named.
    """
    others = [
        f'model.{name} is "{getattr(config, name)}", but there are graphs for "{known}" only'
        for name, known in _WITH_GRAPHS.items()
        if getattr(config, name) != known
    ]
    if others:
        raise ExportError("this model cannot be exported yet: " + "; ".join(others))


def state_tensors(config: TransformerConfig) -> list[StateTensor]:
    """Declare what the encoder hands over, and what passes from step to step."""
    heads, size = config.heads, config.width // config.heads

    def memory(
        name: str, shape: tuple[int | str, ...], *, length_axis: int, padding: float = 0.0
    ) -> StateTensor:
        return StateTensor(
            name=f"memory.{name}",
            kind=StateKind.MEMORY,
            dtype="float32",
            shape=shape,
            length_axis=length_axis,
            padding=padding,
            output=None,
        )

    def cache(name: str) -> StateTensor:
        return StateTensor(
            name=f"cache.{name}",
            kind=StateKind.CACHE,
            dtype="float32",
            shape=("hypotheses", heads, "capacity", size),
            length_axis=2,
            padding=0.0,
            output=f"present.{name}",
        )

    layers = range(config.decoder_layers)
    shape = ("sources", 1, 1, "source_length")
    return [
        *(
            memory(f"{i}.key", ("sources", heads, size, "source_length"), length_axis=3)
            for i in layers
        ),
        *(
            memory(f"{i}.value", ("sources", heads, "source_length", size), length_axis=2)
            for i in layers
        ),
        memory("bias", shape, length_axis=3, padding=float("-inf")),
        *(cache(f"{i}.key") for i in layers),
        *(cache(f"{i}.value") for i in layers),
    ]


def state_ports(config: TransformerConfig, kind: StateKind) -> list[Port]:
    """Return the ports of one kind of state, in the order that the graphs take them."""
    return [
        Port(tensor.name, torch.float32, tensor.shape)
        for tensor in state_tensors(config)
        if tensor.kind is kind
    ]


class EncoderGraph(nn.Module):
    """Reads sources into the memory that every decoder step attends to."""

    def __init__(self, model: Transformer) -> None:
        super().__init__()
        self.config = model.config
        self.embedding = model.embedding
        self.encoder = model.encoder
        self.encoder_norm = model.encoder_norm
        self.cross_kv = _side_by_side([layer.cross.kv for layer in _decoder_layers(model)])

    def inputs(self) -> list[Port]:
        """Token ids that end with the end of sentence, and 1 for each, 0 for padding."""
        shape = ("sources", "source_length")
        return [Port("input_ids", torch.int64, shape), Port("attention_mask", torch.int64, shape)]

    def outputs(self) -> list[Port]:
        """The memory."""
        return state_ports(self.config, StateKind.MEMORY)

    def arguments(self, values: Sequence[T]) -> tuple[T, ...]:
        """Arrange one value per input the way `forward` takes them."""
        return tuple(values)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, ...]:
        """Return the memory in the order of `outputs`."""
        batch, length = input_ids.shape
        width, layers = self.config.width, self.config.decoder_layers
        bias = torch.where(attention_mask == 0, float("-inf"), 0.0)[:, None, None, :]
        positions = sinusoids(torch.arange(length), width)
        x = (self.embedding(input_ids) * width**0.5 + positions).reshape(batch * length, width)
        for layer in cast("Iterable[EncoderLayer]", self.encoder):
            x = self._layer(layer, x, bias)
        parts = self.cross_kv(self.encoder_norm(x)).chunk(2 * layers, dim=-1)
        parts = [_by_head(part, (batch, length), self.config) for part in parts]
        keys = [part.permute(0, 2, 3, 1) for part in parts[0::2]]
        values = [part.transpose(1, 2) for part in parts[1::2]]
        return (*keys, *values, bias)

    def _layer(self, layer: EncoderLayer, x: Tensor, bias: Tensor) -> Tensor:
        """(B x S, D) -> (B x S, D)."""
        batch, length = bias.shape[0], bias.shape[3]
        parts = layer.attention.qkv(layer.attention_norm(x)).chunk(3, dim=-1)
        query, keys, values = (_by_head(part, (batch, length), self.config) for part in parts)
        attended = _attend(
            query.transpose(1, 2), keys.permute(0, 2, 3, 1), values.transpose(1, 2), bias
        )
        x = x + layer.attention.output(attended)
        return _feed_forward(layer, x)


class StepGraph(nn.Module):
    """Extends every hypothesis by its likeliest next tokens."""

    never_generated: Tensor
    """Added to logits for ranking: minus infinity where a token must not come, else 0, (V,)."""

    def __init__(self, model: Transformer) -> None:
        super().__init__()
        self.config = model.config
        self.embedding = model.embedding
        self.decoder = model.decoder
        self.decoder_norm = model.decoder_norm
        penalty = torch.zeros(model.embedding.num_embeddings)
        penalty[list(NEVER_GENERATED)] = float("-inf")
        self.register_buffer("never_generated", penalty)

    def inputs(self) -> list[Port]:
        """The newest token of every hypothesis, how far each has come, k, and the state."""
        return [
            Port("input_ids", torch.int64, ("sources", "width")),
            Port("past_lengths", torch.int32, ("hypotheses",)),
            Port("total_length", torch.int32, (1,)),
            Port("candidates", torch.int64, (1,)),
            *state_ports(self.config, StateKind.MEMORY),
            *state_ports(self.config, StateKind.CACHE),
        ]

    def outputs(self) -> list[Port]:
        """The candidates, best first, and the caches with one position more."""
        shape = ("hypotheses", "candidates")
        caches = [t for t in state_tensors(self.config) if t.kind is StateKind.CACHE]
        return [
            Port("candidate_log_probs", torch.float32, shape),
            Port("candidate_ids", torch.int64, shape),
            *(Port(str(t.output), torch.float32, t.shape) for t in caches),
        ]

    def arguments(self, values: Sequence[T]) -> tuple[T | list[T], ...]:
        """Arrange one value per input the way `forward` takes them: memory and cache as lists."""
        first_memory, first_cache = 4, 4 + 2 * self.config.decoder_layers + 1
        return (
            *values[:first_memory],
            list(values[first_memory:first_cache]),
            list(values[first_cache:]),
        )

    def forward(
        self,
        input_ids: Tensor,
        past_lengths: Tensor,
        total_length: Tensor,
        candidates: Tensor,
        memory: list[Tensor],
        cache: list[Tensor],
    ) -> tuple[Tensor, ...]:
        """Return the outputs in the order of `outputs`."""
        width, layers = self.config.width, self.config.decoder_layers
        *memory, bias = memory
        x = self.embedding(input_ids.reshape(-1)) * width**0.5 + sinusoids(past_lengths, width)
        present: list[tuple[Tensor, Tensor]] = []
        for i, layer in enumerate(cast("Iterable[DecoderLayer]", self.decoder)):
            attended, *caches = group_query_attention(
                layer.attention.qkv(layer.attention_norm(x)).unsqueeze(1),
                cache=(cache[i], cache[layers + i]),
                past_lengths=past_lengths,
                total_length=total_length,
                heads=self.config.heads,
            )
            present.append((caches[0], caches[1]))
            x = x + layer.attention.output(attended.squeeze(1))
            query = _by_head(layer.cross.query(layer.cross_norm(x)), input_ids.shape, self.config)
            attended = _attend(query.transpose(1, 2), memory[i], memory[layers + i], bias)
            x = _feed_forward(layer, x + layer.cross.output(attended))
        logits = nn.functional.linear(self.decoder_norm(x), self.embedding.weight)
        return (
            *self._candidates(logits, candidates),
            *(keys for keys, _ in present),
            *(values for _, values in present),
        )

    def _candidates(self, logits: Tensor, candidates: Tensor) -> tuple[Tensor, Tensor]:
        """Return log-probabilities and ids of the k likeliest tokens that may come, (R, k).

        The probabilities are those of the model, with the tokens that may not come in the sum.
        Taking the logarithm of the k chosen probabilities instead looks cheaper and is not, and it
        is not the same in any company: ONNX Runtime computes the last few elements of an array by
        another routine, so that a row's place decides its last bit.
        """
        _, ids = top_k(logits + self.never_generated, candidates)
        return torch.log_softmax(logits, dim=-1).gather(1, ids), ids


def _by_head(x: Tensor, shape: Sequence[int], config: TransformerConfig) -> Tensor:
    """Split the width into heads and the rows into `shape`, (B x T, D) -> (B, T, H, K)."""
    return x.view(*shape, config.heads, config.width // config.heads)


def _attend(query: Tensor, keys: Tensor, values: Tensor, bias: Tensor) -> Tensor:
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


def _feed_forward(layer: EncoderLayer | DecoderLayer, x: Tensor) -> Tensor:
    """The last block of a layer, (B x T, D) -> (B x T, D)."""
    block: Tensor = layer.feed_forward(layer.feed_forward_norm(x))
    return x + block


def _side_by_side(projections: Sequence[nn.Linear]) -> nn.Linear:
    """Return one projection that computes all of these at once, outputs side by side."""
    width = projections[0].in_features
    merged = nn.Linear(width, sum(p.out_features for p in projections))
    with torch.no_grad():
        merged.weight.copy_(torch.cat([p.weight for p in projections]))
        merged.bias.copy_(torch.cat([p.bias for p in projections]))
    return merged


def _decoder_layers(model: Transformer) -> Iterable[DecoderLayer]:
    return cast("Iterable[DecoderLayer]", model.decoder)
