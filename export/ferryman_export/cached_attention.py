"""Self-attention over a cache, of standard operators: what GroupQueryAttention does, anywhere.

It takes 4 to 37 times as long as the fused operator on a CPU, for it reads the whole capacity of
the caches and not each row's length.

Dimension key:
    R: hypotheses    H: heads    K: width of a head    D: H x K    C: capacity
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from ferryman_export.operators import group_query_attention, scatter_nd


class CachedAttention(Protocol):
    """Self-attention of one new token per row; see `operators.group_query_attention`."""

    def __call__(
        self,
        qkv: Tensor,
        *,
        cache: tuple[Tensor, Tensor],
        past_lengths: Tensor,
        total_length: Tensor,
        heads: int,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return what was attended to, (R, 1, D), and the caches, (R, H, C, K) each."""
        ...


def cached_attention(*, fused: bool) -> CachedAttention:
    """Return the attention of ONNX Runtime's own operator, or that of standard ones."""
    return group_query_attention if fused else standard_attention


def standard_attention(
    qkv: Tensor,
    *,
    cache: tuple[Tensor, Tensor],
    past_lengths: Tensor,
    total_length: Tensor,  # noqa: ARG001
    heads: int,
) -> tuple[Tensor, Tensor, Tensor]:
    """Attend as `operators.group_query_attention` does.

    ``ScatterND`` writes the new position, in place where the caller binds the caches of output and
    input to the same memory. What lies beyond a row's length may be anything, not a number
    included: it is replaced before it is added up.

    Args:
        qkv: Query, key and value side by side, (R, 1, 3 D).
        cache: Keys and values, (R, H, C, K) each.
        past_lengths: Positions of each row that are filled, int32 (R,).
        total_length: Is not needed.
        heads: H.
    """
    rows, _, width = qkv.shape
    size = width // 3 // heads
    query, key, value = (part.reshape(rows, heads, 1, size) for part in qkv.chunk(3, dim=-1))
    past = past_lengths.to(torch.int64)
    places = _places(past, rows, heads)
    keys, values = scatter_nd(cache[0], places, key), scatter_nd(cache[1], places, value)
    empty = (torch.arange(keys.shape[2]) > past[:, None])[:, None, None]  # (R, 1, 1, C)
    scores = (query * size**-0.5) @ keys.transpose(2, 3)
    weights = torch.softmax(torch.where(empty, float("-inf"), scores), dim=-1)
    attended = weights @ torch.where(empty.transpose(2, 3), 0.0, values)
    return attended.reshape(rows, 1, width // 3), keys, values


def _places(past: Tensor, rows: int, heads: int) -> Tensor:
    """Return row, head and position of every vector that is written, (R, H, 1, 3)."""
    shape = (rows, heads, 1)
    parts = (torch.arange(rows)[:, None, None], torch.arange(heads)[:, None], past[:, None, None])
    return torch.stack([part.expand(shape) for part in parts], dim=-1)
