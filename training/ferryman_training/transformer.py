"""The Transformer (Vaswani et al. 2017, https://arxiv.org/abs/1706.03762), pre-norm.

Normalisation comes before each block (Xiong et al. 2020, https://arxiv.org/abs/2002.04745), not
after it as in the paper, and both stacks end in a normalisation of their own. Source, target and
output embeddings are one matrix (section 3.4).

Dimension key:
    B: sentences    S: source tokens    T: target tokens    D: width    H: heads
    K: width of a head    F: feed-forward width    V: vocabulary    P: past target tokens
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from ferryman_bundle.tokenizer import PAD
from ferryman_training.attention import CrossAttention, SelfAttention
from ferryman_training.model_config import TransformerConfig
from ferryman_training.seq2seq import Seq2Seq


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


def sinusoids(positions: Tensor, width: int) -> Tensor:
    """Return the position encodings of section 3.5, sines first and cosines after them.

    The paper interleaves the two; the order of dimensions is free, since every use of them goes
    through a learned matrix.

    Args:
        positions: Whole numbers of any shape (...).
        width: D, even.

    Returns:
        float32 (..., D).
    """
    half = torch.arange(width // 2, dtype=torch.float32, device=positions.device)
    rates = torch.exp(half * (-2.0 * math.log(10_000.0) / width))
    angles = positions.to(torch.float32).unsqueeze(-1) * rates
    return torch.cat([angles.sin(), angles.cos()], dim=-1)


class FeedForward(nn.Module):
    """Equation 2: two matrices with a ReLU between them."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.expand = nn.Linear(width, hidden)
        self.contract = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, D) -> (B, T, D)."""
        contracted: Tensor = self.contract(functional.relu(self.expand(x)))
        return contracted


class EncoderLayer(nn.Module):
    """Self-attention and feed-forward, each x + dropout(block(norm(x)))."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(config.width)
        self.attention = SelfAttention(config.width, config.heads)
        self.feed_forward_norm = nn.LayerNorm(config.width)
        self.feed_forward = FeedForward(config.width, config.feed_forward)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, bias: Tensor | None) -> Tensor:
        """(B, S, D) -> (B, S, D)."""
        x = x + self.dropout(self.attention(self.attention_norm(x), bias))
        y: Tensor = x + self.dropout(self.feed_forward(self.feed_forward_norm(x)))
        return y


class DecoderLayer(nn.Module):
    """Self-attention, attention to the source, feed-forward."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(config.width)
        self.attention = SelfAttention(config.width, config.heads)
        self.cross_norm = nn.LayerNorm(config.width)
        self.cross = CrossAttention(config.width, config.heads)
        self.feed_forward_norm = nn.LayerNorm(config.width)
        self.feed_forward = FeedForward(config.width, config.feed_forward)
        self.dropout = nn.Dropout(config.dropout)

    def finish(
        self, x: Tensor, attended: Tensor, keys: Tensor, values: Tensor, bias: Tensor
    ) -> Tensor:
        """Everything after self-attention, shared by `Transformer.forward` and `.step`.

        Args:
            x: The layer's input, (B, T, D).
            attended: Result of self-attention, (B, T, D).
            keys: Cross-attention keys, (B, H, S, K).
            values: Cross-attention values, (B, H, S, K).
            bias: Source padding, (B, 1, 1, S).

        Returns:
            (B, T, D).
        """
        x = x + self.dropout(attended)
        x = x + self.dropout(self.cross(self.cross_norm(x), keys, values, bias))
        y: Tensor = x + self.dropout(self.feed_forward(self.feed_forward_norm(x)))
        return y


class Transformer(Seq2Seq):
    """Encoder and decoder; one embedding serves source, target and output."""

    config: TransformerConfig

    def __init__(self, config: TransformerConfig, vocabulary_size: int) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(vocabulary_size, config.width)
        self.encoder = nn.ModuleList(EncoderLayer(config) for _ in range(config.encoder_layers))
        self.encoder_norm = nn.LayerNorm(config.width)
        self.decoder = nn.ModuleList(DecoderLayer(config) for _ in range(config.decoder_layers))
        self.decoder_norm = nn.LayerNorm(config.width)
        self.dropout = nn.Dropout(config.dropout)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new weights: embeddings with standard deviation D^-0.5, matrices Glorot uniform."""
        nn.init.normal_(self.embedding.weight, std=self.config.width**-0.5)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)

    def embed(self, ids: Tensor, positions: Tensor) -> Tensor:
        """Return scaled embeddings plus positions.

        Args:
            ids: (B, T).
            positions: (T,) or (B, T).

        Returns:
            (B, T, D).
        """
        embedded = self.embedding(ids) * self.config.width**0.5
        encoded = sinusoids(positions, self.config.width).to(embedded.dtype)
        x: Tensor = self.dropout(embedded + encoded)
        return x

    @property
    def source_embedding(self) -> nn.Embedding:
        """The one embedding."""
        return self.embedding

    @property
    def target_embedding(self) -> nn.Embedding:
        """The one embedding."""
        return self.embedding

    @property
    def output_weight(self) -> Tensor:
        """The one embedding, (V, D)."""
        return self.embedding.weight

    @property
    def output_bias(self) -> None:
        """The output layer adds nothing."""
        return

    @property
    def decoder_layers(self) -> Sequence[DecoderLayer]:
        """The layers of the decoder, first to last."""
        return cast("Sequence[DecoderLayer]", self.decoder)

    def padding_bias(self, ids: Tensor) -> Tensor:
        """(B, S) ids -> (B, 1, 1, S), minus infinity on padding."""
        zeros = torch.zeros(ids.shape, dtype=self.embedding.weight.dtype, device=ids.device)
        return zeros.masked_fill(ids == PAD, float("-inf"))[:, None, None, :]

    def encode(self, source: Tensor) -> Memory:
        """Read the source; see `Seq2Seq.encode`."""
        bias = self.padding_bias(source)
        x = self.embed(source, torch.arange(source.shape[1], device=source.device))
        for layer in self.encoder:
            x = layer(x, bias)
        x = self.encoder_norm(x)
        pairs = [layer.cross.memory(x) for layer in self.decoder_layers]
        return Memory(tuple(k for k, _ in pairs), tuple(v for _, v in pairs), bias)

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        """Teacher-forced pass; see `Seq2Seq.forward`."""
        memory = self.encode(source)
        x = self.embed(target, torch.arange(target.shape[1], device=target.device))
        for i in range(len(self.decoder_layers)):
            x = self._decode(i, x, memory)
        hidden: Tensor = self.decoder_norm(x)
        return hidden

    def _decode(self, index: int, x: Tensor, memory: Memory) -> Tensor:
        """One decoder layer over whole targets, (B, T, D) -> (B, T, D)."""
        layer = self.decoder_layers[index]
        attended = layer.attention(layer.attention_norm(x), _future(x))
        return layer.finish(x, attended, memory.keys[index], memory.values[index], memory.bias)

    def attention(self, source: Tensor, target: Tensor) -> Tensor:
        """Return the mean of the last layer's heads; see `Seq2Seq.attention`."""
        memory = self.encode(source)
        x = self.embed(target, torch.arange(target.shape[1], device=target.device))
        *_, last = self.decoder_layers
        for i in range(len(self.decoder_layers) - 1):
            x = self._decode(i, x, memory)
        x = x + last.dropout(last.attention(last.attention_norm(x), _future(x)))
        weights = last.cross.weights(last.cross_norm(x), memory.keys[-1], memory.bias)
        return weights.mean(dim=1)

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
        x = self.embed(ids[:, None], position)
        all_keys, all_values = [], []
        for i, layer in enumerate(self.decoder_layers):
            query, keys, values = layer.attention.project(layer.attention_norm(x))
            keys = torch.cat([state.keys[i], keys], dim=2)
            values = torch.cat([state.values[i], values], dim=2)
            attended = layer.attention.attend(query, keys, values, None)
            x = layer.finish(x, attended, memory.keys[i], memory.values[i], memory.bias)
            all_keys.append(keys)
            all_values.append(values)
        logits = self.logits(self.decoder_norm(x))[:, 0]
        return logits, State(tuple(all_keys), tuple(all_values))


def _future(x: Tensor) -> Tensor:
    """Return what hides later positions from earlier ones, (T, T), for x (B, T, D)."""
    length = x.shape[1]
    return torch.full((length, length), float("-inf"), dtype=x.dtype, device=x.device).triu(1)
