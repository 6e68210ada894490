"""The Transformer (Vaswani et al. 2017, https://arxiv.org/abs/1706.03762).

What can be chosen differently from the paper is in `transformer_layers`, `positions` and
`feed_forward`; which embeddings are one matrix (section 3.4) is decided here. Where layers
normalise their inputs, both stacks end in a normalisation of their own.

Dimension key:
    B: sentences    S: source tokens    T: target tokens    D: width    H: heads
    K: width of a head    V: vocabulary    P: past target tokens
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from ferryman_bundle.tokenizer import PAD
from ferryman_training.model_config import TransformerConfig
from ferryman_training.positions import Positions, build_positions
from ferryman_training.seq2seq import Seq2Seq
from ferryman_training.transformer_layers import DecoderLayer, EncoderLayer


class Memory(NamedTuple):
    """What the encoder hands to the decoder."""

    keys: tuple[Tensor, ...]
    """Cross-attention keys of each decoder layer, (B, H, S, K)."""
    values: tuple[Tensor, ...]
    """Cross-attention values of each decoder layer, (B, H, S, K)."""
    bias: Tensor
    """Added to attention scores: 0 on tokens, minus infinity on padding, (B, 1, 1, S)."""


class State(NamedTuple):
    """The cache: keys and values of the target so far, none before the first step."""

    keys: tuple[Tensor, ...]
    """Of each decoder layer, (B, H, P, K)."""
    values: tuple[Tensor, ...]
    """Of each decoder layer, (B, H, P, K)."""


class Transformer(Seq2Seq):
    """Encoder and decoder."""

    config: TransformerConfig

    def __init__(self, config: TransformerConfig, vocabulary_size: int) -> None:
        super().__init__()
        self.config = config
        tied = config.tied_embeddings
        self.embedding = nn.Embedding(vocabulary_size, config.width)
        self.encoder_embedding = (
            None if tied == "all" else nn.Embedding(vocabulary_size, config.width)
        )
        self.output = (
            nn.Linear(config.width, vocabulary_size, bias=False) if tied == "none" else None
        )
        self.encoder_positions = build_positions(config)
        self.encoder = nn.ModuleList(EncoderLayer(config) for _ in range(config.encoder_layers))
        self.encoder_norm = _last_norm(config)
        self.decoder_positions = build_positions(config)
        self.decoder = nn.ModuleList(DecoderLayer(config) for _ in range(config.decoder_layers))
        self.decoder_norm = _last_norm(config)
        self.dropout = nn.Dropout(config.dropout)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new weights: embeddings with standard deviation D^-0.5, matrices Glorot uniform."""
        for module in self.modules():
            if isinstance(module, nn.Embedding):
                nn.init.normal_(module.weight, std=self.config.width**-0.5)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    @property
    def source_embedding(self) -> nn.Embedding:
        """Of the encoder."""
        return self.embedding if self.encoder_embedding is None else self.encoder_embedding

    @property
    def target_embedding(self) -> nn.Embedding:
        """Of the decoder."""
        return self.embedding

    @property
    def output_weight(self) -> Tensor:
        """The target embedding, unless nothing is tied, (V, D)."""
        return self.embedding.weight if self.output is None else self.output.weight

    @property
    def output_bias(self) -> None:
        """The output layer adds nothing."""
        return

    @property
    def decoder_layers(self) -> Sequence[DecoderLayer]:
        """The layers of the decoder, first to last."""
        return cast("Sequence[DecoderLayer]", self.decoder)

    def embed_source(self, ids: Tensor, positions: Tensor) -> Tensor:
        """Return what the encoder reads, (B, S, D), from ids (B, S) and positions (S,)."""
        return self._embed(self.source_embedding, self.encoder_positions, ids, positions)

    def embed_target(self, ids: Tensor, positions: Tensor) -> Tensor:
        """Return what the decoder reads, (B, T, D), from ids (B, T) and positions (T,)."""
        return self._embed(self.target_embedding, self.decoder_positions, ids, positions)

    def _embed(
        self, embedding: nn.Embedding, places: Positions, ids: Tensor, positions: Tensor
    ) -> Tensor:
        embedded = embedding(ids) * self.config.width**0.5
        x: Tensor = self.dropout(places(embedded, positions))
        return x

    def padding_bias(self, ids: Tensor) -> Tensor:
        """(B, S) ids -> (B, 1, 1, S), minus infinity on padding."""
        zeros = torch.zeros(ids.shape, dtype=self.embedding.weight.dtype, device=ids.device)
        return zeros.masked_fill(ids == PAD, float("-inf"))[:, None, None, :]

    def encode(self, source: Tensor) -> Memory:
        """Read the source; see `Seq2Seq.encode`."""
        bias = self.padding_bias(source)
        positions = torch.arange(source.shape[1], device=source.device)
        x = self.embed_source(source, positions)
        rotation = self.encoder_positions.rotation(positions)
        for layer in self.encoder:
            x = layer(x, bias, rotation)
        x = self.encoder_norm(x)
        pairs = [layer.cross.memory(x) for layer in self.decoder_layers]
        return Memory(tuple(k for k, _ in pairs), tuple(v for _, v in pairs), bias)

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        """Teacher-forced pass; see `Seq2Seq.forward`."""
        _, hidden = self._decode(self.encode(source), target)
        return hidden

    def forward_guided(self, source: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Teacher-forced pass that also tells what the aligned head looks at.

        Args:
            source: (B, S), see `Seq2Seq.encode`.
            target: (B, T), see `Seq2Seq.forward`.

        Returns:
            What `forward` returns, and the logarithm of the head's weights, float32 (B, T, S).
        """
        aligned = self.config.aligned_head
        assert aligned is not None, "only a model with an aligned head is guided"
        memory = self.encode(source)
        readers, hidden = self._decode(memory, target)
        layer, keys = self.decoder_layers[aligned.layer], memory.keys[aligned.layer]
        logs = layer.log_looks(readers[aligned.layer], keys, memory.bias, head=aligned.head)
        return hidden, logs

    def attention(self, source: Tensor, target: Tensor) -> Tensor:
        """Return what the aligned head looks at, or the mean of the last layer's heads.

        See `Seq2Seq.attention`.
        """
        _, weights = self.decode_looking(self.encode(source), target)
        return weights

    def decode_looking(self, memory: Memory, target: Tensor) -> tuple[Tensor, Tensor]:
        """Decode whole targets, and tell what they look at.

        Args:
            memory: From `encode`.
            target: (B, T), see `Seq2Seq.forward`.

        Returns:
            What `forward` returns, and what `attention` returns.
        """
        readers, hidden = self._decode(memory, target)
        aligned = self.config.aligned_head
        index = self.config.decoder_layers - 1 if aligned is None else aligned.layer
        layer = self.decoder_layers[index]
        weights = layer.looks(readers[index], memory.keys[index], memory.bias)
        return hidden, weights.mean(dim=1) if aligned is None else weights[:, aligned.head]

    def _decode(self, memory: Memory, target: Tensor) -> tuple[list[Tensor], Tensor]:
        """Decode whole targets.

        Returns:
            What each layer reads the source with, (B, T, D) each, and what the output layer reads.
        """
        positions = torch.arange(target.shape[1], device=target.device)
        x = self.embed_target(target, positions)
        rotation, future = self.decoder_positions.rotation(positions), _future(x)
        readers = []
        for i, layer in enumerate(self.decoder_layers):
            attended = layer.attention(layer.before(layer.attention_norm, x), future, rotation)
            x = layer.settle(x, attended)
            readers.append(x)
            x = layer.finish(x, memory.keys[i], memory.values[i], memory.bias)
        return readers, self.decoder_norm(x)

    def initial_state(self, memory: Memory) -> State:
        """Return empty caches."""
        size = self.config.width // self.config.heads
        empty = memory.bias.new_zeros(memory.bias.shape[0], self.config.heads, 0, size)
        layers = (empty,) * self.config.decoder_layers
        return State(layers, layers)

    def step(self, ids: Tensor, memory: Memory, state: State) -> tuple[Tensor, State]:
        """Extend every target by one token; see `Seq2Seq.step`.

        All rows have the same length P; the caches that come back have P + 1 positions.
        """
        position = torch.full((1,), state.keys[0].shape[2], device=ids.device)
        x = self.embed_target(ids[:, None], position)
        rotation = self.decoder_positions.rotation(position)
        all_keys, all_values = [], []
        for i, layer in enumerate(self.decoder_layers):
            read = layer.before(layer.attention_norm, x)
            query, keys, values = layer.attention.project(read, rotation)
            keys = torch.cat([state.keys[i], keys], dim=2)
            values = torch.cat([state.values[i], values], dim=2)
            x = layer.settle(x, layer.attention.attend(query, keys, values, None))
            x = layer.finish(x, memory.keys[i], memory.values[i], memory.bias)
            all_keys.append(keys)
            all_values.append(values)
        logits = self.logits(self.decoder_norm(x))[:, 0]
        return logits, State(tuple(all_keys), tuple(all_values))


def _last_norm(config: TransformerConfig) -> nn.Module:
    """Return what a stack ends in; with ``post``, its last layer has normalised already."""
    return nn.LayerNorm(config.width) if config.norm == "pre" else nn.Identity()


def _future(x: Tensor) -> Tensor:
    """Return what hides later positions from earlier ones, (T, T), for x (B, T, D)."""
    length = x.shape[1]
    return torch.full((length, length), float("-inf"), dtype=x.dtype, device=x.device).triu(1)
