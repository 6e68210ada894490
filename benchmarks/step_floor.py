"""The floor of a decode step: the least time in which this machine could do it.

Dimension key:
    n: sources    R: rows, n * W    S: source length    C: tokens that a cache holds so far
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from benchmarks.gemm import Matrix
from ferryman_bundle import StateTensor

_BYTES: Final = {"float32": 4, "float16": 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Floor:
    """Of one step, in seconds."""

    products: float
    """Matrix products with their weights in a cache."""
    weights: float
    """Reading the weights once."""
    state: float
    """Reading the state once."""
    total: float
    """Of each product the longer of multiplying and reading its weights, and then the state: a
    processor reads while it multiplies."""


def floor_of(
    matrices: Sequence[Matrix],
    *,
    seconds: Callable[[Matrix], float],
    weight_bytes: int,
    state: int,
    rate: float,
) -> Floor:
    """Add a step up.

    Args:
        matrices: Of its products.
        seconds: What a product takes, with as many rows as the step has.
        weight_bytes: Of one weight.
        state: Bytes of state that the step reads.
        rate: Bytes that are read in a second.
    """
    products = [seconds(matrix) for matrix in matrices]
    reads = [matrix.weights * weight_bytes / rate for matrix in matrices]
    longer = [max(pair) for pair in zip(products, reads, strict=True)]
    return Floor(
        products=sum(products),
        weights=sum(reads),
        state=state / rate,
        total=sum(longer) + state / rate,
    )


def state_bytes(
    tensors: Sequence[StateTensor], *, sources: int, width: int, source_length: int, length: int
) -> int:
    """Return the bytes of state that a step reads.

    Args:
        tensors: The declared state.
        sources: n.
        width: W.
        source_length: S.
        length: C, of every hypothesis.
    """
    sizes = {
        "sources": sources,
        "hypotheses": sources * width,
        "source_length": source_length,
        "capacity": length,
    }
    return sum(
        _BYTES[tensor.dtype]
        * math.prod(sizes[d] if isinstance(d, str) else d for d in tensor.shape)
        for tensor in tensors
    )
