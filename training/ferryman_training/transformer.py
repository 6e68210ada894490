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
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from ferryman_bundle.tokenizer import PAD
from ferryman_training.config import ModelConfig


@dataclass(frozen=True, slots=True)
class Memory:
    """What the encoder hands to the decoder."""

    keys: tuple[Tensor, ...]
    """Cross-attention keys of each decoder layer, (B, H, S, K)."""
    values: tuple[Tensor, ...]
    """Cross-attention values of each decoder layer, (B, H, S, K)."""
    bias: Tensor
    """Added to attention scores: 0 on tokens, minus infinity on padding, (B, 1, 1, S)."""


@dataclass(frozen=True, slots=True)
class Cache:
    """Self-attention keys and values of the target so far; empty before the first step."""

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
    scores = (query * query.shape[-1] ** -0.5) @ keys.transpose(-1, -2)
    if bias is not None:
        scores = scores + bias
    return torch.softmax(scores, dim=-1) @ values


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

    def project(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(B, T, D) -> query, keys and values, (B, H, T, K) each."""
        query, keys, values = self.qkv(x).chunk(3, dim=-1)
        return tuple(split_heads(part, self.heads) for part in (query, keys, values))  # type: ignore[return-value]

    def forward(self, x: Tensor, bias: Tensor | None) -> Tensor:
        """Attend from every position to every one that the bias allows, (B, T, D)."""
        query, keys, values = self.project(x)
        return self.output(merge_heads(attend(query, keys, values, bias)))  # type: ignore[no-any-return]


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
        return self.output(merge_heads(attend(query, keys, values, bias)))  # type: ignore[no-any-return]


class FeedForward(nn.Module):
    """Equation 2: two matrices with a ReLU between them."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.expand = nn.Linear(width, hidden)
        self.contract = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, D) -> (B, T, D)."""
        return self.contract(functional.relu(self.expand(x)))  # type: ignore[no-any-return]


class EncoderLayer(nn.Module):
    """Self-attention and feed-forward, each x + dropout(block(norm(x)))."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(config.width)
        self.attention = SelfAttention(config.width, config.heads)
        self.feed_forward_norm = nn.LayerNorm(config.width)
        self.feed_forward = FeedForward(config.width, config.feed_forward)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, bias: Tensor | None) -> Tensor:
        """(B, S, D) -> (B, S, D)."""
        x = x + self.dropout(self.attention(self.attention_norm(x), bias))
        return x + self.dropout(self.feed_forward(self.feed_forward_norm(x)))  # type: ignore[no-any-return]


class DecoderLayer(nn.Module):
    """Self-attention, attention to the source, feed-forward."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(config.width)
        self.attention = SelfAttention(config.width, config.heads)
        self.cross_norm = nn.LayerNorm(config.width)
        self.cross = CrossAttention(config.width, config.heads)
        self.feed_forward_norm = nn.LayerNorm(config.width)
        self.feed_forward = FeedForward(config.width, config.feed_forward)
        self.dropout = nn.Dropout(config.dropout)

    def finish(self, x: Tensor, attended: Tensor, keys: Tensor, values: Tensor, bias: Tensor) -> Tensor:
        """Everything after self-attention, shared by `Transformer.forward` and `.step`.

        Args:
            x: The layer's input, (B, T, D).
            attended: Result of self-attention, (B, T, D).
            keys: Cross-attention keys, (B, H, S, K).
            values: Cross-attention values, (B, H, S, K).
            bias: Source padding, (B, 1, 1, S).
        """
        x = x + self.dropout(attended)
        x = x + self.dropout(self.cross(self.cross_norm(x), keys, values, bias))
        return x + self.dropout(self.feed_forward(self.feed_forward_norm(x)))  # type: ignore[no-any-return]


class Transformer(nn.Module):
    """Encoder and decoder with `encode`, teacher-forced `forward` and incremental `step`."""

    def __init__(self, config: ModelConfig, vocabulary_size: int) -> None:
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
        return self.dropout(embedded + encoded)  # type: ignore[no-any-return]

    def padding_bias(self, ids: Tensor) -> Tensor:
        """(B, S) ids -> (B, 1, 1, S), minus infinity on padding."""
        zeros = torch.zeros(ids.shape, dtype=self.embedding.weight.dtype, device=ids.device)
        return zeros.masked_fill(ids == PAD, float("-inf"))[:, None, None, :]

    def encode(self, source: Tensor) -> Memory:
        """Read the source.

        Args:
            source: Token ids with the end of sentence, padded with PAD, (B, S).
        """
        bias = self.padding_bias(source)
        x = self.embed(source, torch.arange(source.shape[1], device=source.device))
        for layer in self.encoder:
            x = layer(x, bias)
        x = self.encoder_norm(x)
        pairs = [layer.cross.memory(x) for layer in self.decoder]  # type: ignore[union-attr,operator]
        return Memory(tuple(k for k, _ in pairs), tuple(v for _, v in pairs), bias)

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        """Teacher-forced pass: every position sees the true target before it.

        Args:
            source: (B, S), see `encode`.
            target: The start of sentence and the target tokens, padded with PAD, (B, T).

        Returns:
            What the output layer reads, (B, T, D); see `logits`.
        """
        memory = self.encode(source)
        length = target.shape[1]
        x = self.embed(target, torch.arange(length, device=target.device))
        future = torch.full((length, length), float("-inf"), dtype=x.dtype, device=x.device).triu(1)
        for i, layer in enumerate(self.decoder):
            attended = layer.attention(layer.attention_norm(x), future)  # type: ignore[operator]
            x = layer.finish(x, attended, memory.keys[i], memory.values[i], memory.bias)  # type: ignore[operator]
        return self.decoder_norm(x)  # type: ignore[no-any-return]

    def logits(self, hidden: Tensor) -> Tensor:
        """(..., D) -> (..., V), through the transposed embedding."""
        return functional.linear(hidden, self.embedding.weight)

    def empty_cache(self, batch: int) -> Cache:
        """Return the cache of `batch` sentences before their first step."""
        size = self.config.width // self.config.heads
        empty = self.embedding.weight.new_zeros(batch, self.config.heads, 0, size)
        layers = (empty,) * self.config.decoder_layers
        return Cache(layers, layers)

    def step(self, ids: Tensor, memory: Memory, cache: Cache) -> tuple[Tensor, Cache]:
        """Extend every target by one token.

        Args:
            ids: The last token of each target, (B,).
            memory: From `encode`.
            cache: From the step before, or `empty_cache`; all rows have the same length P.

        Returns:
            Logits of the next token, (B, V), and the cache with P + 1 positions.
        """
        position = torch.full((1,), cache.keys[0].shape[2], device=ids.device)
        x = self.embed(ids[:, None], position)
        all_keys, all_values = [], []
        for i, layer in enumerate(self.decoder):
            attention: SelfAttention = layer.attention  # type: ignore[assignment]
            query, keys, values = attention.project(layer.attention_norm(x))  # type: ignore[operator]
            keys = torch.cat([cache.keys[i], keys], dim=2)
            values = torch.cat([cache.values[i], values], dim=2)
            attended = attention.output(merge_heads(attend(query, keys, values, None)))
            x = layer.finish(x, attended, memory.keys[i], memory.values[i], memory.bias)  # type: ignore[operator]
            all_keys.append(keys)
            all_values.append(values)
        logits = self.logits(self.decoder_norm(x))[:, 0]
        return logits, Cache(tuple(all_keys), tuple(all_values))
