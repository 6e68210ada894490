"""ONNX operators that torch has no counterpart for, callable from a module that is exported.

`torch.onnx.ops.symbolic` puts an operator into the graph as it stands and believes the shapes that
it is told. Outside an export it returns zeros without a word, so every function here refuses to
run there.

Dimension key:
    R: hypotheses    H: heads    K: width of a head    D: H x K    C: capacity    V: vocabulary
    B: sources    S: source tokens    N: directions    G: gates    U: units of a recurrent layer
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor


def group_query_attention(
    qkv: Tensor,
    *,
    cache: tuple[Tensor, Tensor],
    past_lengths: Tensor,
    total_length: Tensor,
    heads: int,
) -> tuple[Tensor, Tensor, Tensor]:
    """Self-attention of one new token per row over a cache where every row has its own length.

    ``com.microsoft.GroupQueryAttention``: it writes each row's new key and value at position
    ``past_lengths[row]`` and attends to all up to there. Where the caller binds the caches of
    output and input to the same memory, nothing else is written or copied. What lies beyond a
    row's length is never read.

    Args:
        qkv: Query, key and value side by side, (R, 1, 3 D).
        cache: Keys and values, (R, H, C, K) each.
        past_lengths: Positions of each row that are filled, int32 (R,).
        total_length: ``max(past_lengths) + 1``, int32 (1,), at most C.
        heads: H.

    Returns:
        What was attended to, (R, 1, D), and the caches with one position more, (R, H, C, K).
    """
    _require_export("GroupQueryAttention")
    rows, _, width = qkv.shape
    keys, values = cache
    attended, keys, values = torch.onnx.ops.symbolic_multi_out(
        "com.microsoft::GroupQueryAttention",
        (qkv, None, None, keys, values, past_lengths, total_length),
        {"num_heads": heads, "kv_num_heads": heads},
        dtypes=(qkv.dtype,) * 3,
        shapes=([rows, 1, width // 3], list(keys.shape), list(values.shape)),
        version=1,
    )
    return attended, keys, values


def recurrence(
    operator: str,
    x: Tensor,
    weights: tuple[Tensor, Tensor, Tensor],
    lengths: Tensor,
) -> tuple[Tensor, ...]:
    """A recurrent layer over whole sources; each ends where its own length says.

    ONNX ``LSTM`` and ``GRU`` with ``sequence_lens``: what comes after a source's end is zeros, its
    last state is that of its last token, and the way back begins at that token, as with packed
    sequences in torch.

    Args:
        operator: ``LSTM`` or ``GRU``, whose reset gate comes after the matrix, as in torch.
        x: (S, B, D).
        weights: For the input (N, G x U, D), for the state (N, G x U, U), and both biases
            (N, 2 x G x U), with the gates in ONNX's order.
        lengths: Tokens of each source, int32 (B,).

    Returns:
        Outputs (S, N, B, U) and the last states, (N, B, U) each: hidden, and cell of an LSTM.
    """
    _require_export(operator)
    length, batch, _ = x.shape
    directions, _, units = weights[1].shape
    last = [directions, batch, units]
    states = 2 if operator == "LSTM" else 1
    outputs = torch.onnx.ops.symbolic_multi_out(
        operator,
        (x, *weights, lengths),
        {
            "hidden_size": units,
            "direction": "bidirectional" if directions == 2 else "forward",
            **({"linear_before_reset": 1} if operator == "GRU" else {}),
        },
        dtypes=(x.dtype,) * (1 + states),
        shapes=([length, directions, batch, units], *[last] * states),
    )
    return tuple(outputs)


def scatter_nd(x: Tensor, indices: Tensor, updates: Tensor) -> Tensor:
    """``ScatterND``: `x` with slices replaced; in place where both are bound to the same memory.

    Args:
        x: Of any shape.
        indices: Of the slices, int64 (..., n) for slices along the first n axes.
        updates: The slices, (..., *x.shape[n:]).
    """
    _require_export("ScatterND")
    scattered: Tensor = torch.onnx.ops.symbolic(
        "ScatterND", (x, indices, updates), dtype=x.dtype, shape=list(x.shape)
    )
    return scattered


def top_k(scores: Tensor, k: Tensor) -> tuple[Tensor, Tensor]:
    """Return the k best of every row, best first, lower ids first among equals.

    Unlike `torch.topk` it takes k as a tensor, so that one graph serves any beam.

    Args:
        scores: (R, V).
        k: int64 (1,).

    Returns:
        Scores and ids, (R, k). While tracing they are said to be (R, 1), since the value of `k` is
        not known then; nothing after this may depend on that size.
    """
    return _top_k(scores, k, largest=1)


def smallest_k(scores: Tensor, k: Tensor) -> tuple[Tensor, Tensor]:
    """Return the k smallest of every row in ascending order, and where they were; see `top_k`."""
    return _top_k(scores, k, largest=0)


def flatten(x: Tensor) -> Tensor:
    """Make one axis of all but the first, (R, ...) -> (R, any).

    `torch.flatten` would compute the sizes in the graph, by five nodes more.
    """
    _require_export("Reshape")
    shape = cast("list[int]", [x.shape[0], x.shape[1] * x.shape[2]])
    flat: Tensor = torch.onnx.ops.symbolic(
        "Reshape", (x, torch.tensor([0, -1])), dtype=x.dtype, shape=shape
    )
    return flat


def _top_k(scores: Tensor, k: Tensor, *, largest: int) -> tuple[Tensor, Tensor]:
    _require_export("TopK")
    shape = cast("list[int]", [scores.shape[0], k.item()])
    values, places = torch.onnx.ops.symbolic_multi_out(
        "TopK",
        (scores, k),
        {"axis": -1, "largest": largest, "sorted": 1},
        dtypes=(scores.dtype, torch.int64),
        shapes=(shape, shape),
    )
    return values, places


def quantize_linear(x: Tensor, scale: Tensor, zero_point: Tensor) -> Tensor:
    """``QuantizeLinear``: round to the nearest of 256 levels, and to the last one beyond them.

    Args:
        x: float32 (...).
        scale: Distance of two levels, float32 ().
        zero_point: The level of zero, uint8 ().

    Returns:
        uint8 (...).
    """
    _require_export("QuantizeLinear")
    levels: Tensor = torch.onnx.ops.symbolic(
        "QuantizeLinear", (x, scale, zero_point), dtype=torch.uint8, shape=list(x.shape)
    )
    return levels


def matmul_integer_to_float(
    levels: Tensor,
    values: Tensor,
    *,
    scale: Tensor,
    zero_point: Tensor,
    scales: Tensor,
    bias: Tensor | None,
) -> Tensor:
    """``com.microsoft.MatMulIntegerToFloat``: a product of bytes, summed in int32, as float32.

    With constant `scale`, `zero_point`, `values` and `scales` a row gets the same bits whatever
    the other rows are.

    Args:
        levels: From `quantize_linear`, uint8 (M, K).
        values: int8 (K, N).
        scale: Of the levels, float32 ().
        zero_point: Of the levels, uint8 ().
        scales: Of the values, float32 (N,).
        bias: float32 (N,).

    Returns:
        float32 (M, N).
    """
    _require_export("MatMulIntegerToFloat")
    product: Tensor = torch.onnx.ops.symbolic(
        "com.microsoft::MatMulIntegerToFloat",
        (levels, values, scale, scales, zero_point, None, bias),
        dtype=torch.float32,
        shape=[levels.shape[0], values.shape[1]],
        version=1,
    )
    return product


def _require_export(operator: str) -> None:
    if not torch.onnx.is_in_onnx_export():
        raise RuntimeError(f"{operator} exists in exported graphs only; torch cannot compute it")
