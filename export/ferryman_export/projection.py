"""Linear layers in the precisions that graphs compute with.

Dimension key:
    M: rows, tokens or hypotheses    K: inputs    N: outputs
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ferryman_bundle.quantization import quantize
from ferryman_export.operators import matmul_integer_to_float, quantize_linear


@dataclass(frozen=True, slots=True)
class ActivationRange:
    """Which interval of an activation its 256 levels cover; what is beyond it is clipped."""

    low: float
    """At most 0, so that zero is a level of its own."""
    high: float
    """At least 0."""

    @property
    def scale(self) -> float:
        """The distance of two levels, as float32 holds it."""
        return float(np.float32(max(self.high - self.low, _NARROWEST) / _LEVELS))

    @property
    def zero_point(self) -> int:
        """The level that stands for 0, from 0 to 255."""
        return min(_LEVELS, max(0, round(-self.low / self.scale)))


_LEVELS = 255
_NARROWEST = 1e-6
"""Of an interval: an activation that is always zero still needs a scale."""


class Projection(nn.Module):
    """A linear layer, (M, K) -> (M, N)."""

    clips_negatives = False
    """Whether it reads negative inputs as zero, so that a ReLU before it changes nothing."""


class Projections(Protocol):
    """How the linear layers of a variant are computed."""

    def linear(self, name: str, weight: Tensor, bias: Tensor | None) -> Projection:
        """Return the layer in this precision.

        Args:
            name: By which `calibration` knows its input.
            weight: (N, K), with the values that the bundle stores.
            bias: (N,).
        """
        ...

    def columns(self, name: str) -> Int8Columns | None:
        """Return a layer whose columns the caller brings.

        Args:
            name: By which `calibration` knows its input.

        Returns:
            None where a row's bits would depend on how many rows there are.
        """
        ...

    def embedding(self, weight: Tensor) -> nn.Module:
        """Return a module that looks rows up, (...) -> (..., K).

        Args:
            weight: (N, K), with the values that the bundle stores.
        """
        ...


class FloatProjection(Projection):
    """A Gemm in the precision of the weights."""

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight.detach(), requires_grad=False)
        self.bias = None if bias is None else nn.Parameter(bias.detach(), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        """(M, K) -> (M, N)."""
        return functional.linear(x, self.weight, self.bias)


class FloatEmbedding(nn.Module):
    """Rows of a matrix, as they are."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight.detach(), requires_grad=False)

    def forward(self, ids: Tensor) -> Tensor:
        """(...) -> (..., K)."""
        return functional.embedding(ids, self.weight)


class FloatProjections:
    """Everything in the precision of the weights."""

    def linear(self, name: str, weight: Tensor, bias: Tensor | None) -> FloatProjection:  # noqa: ARG002
        """See `Projections.linear`."""
        return FloatProjection(weight, bias)

    def columns(self, name: str) -> None:
        """See `Projections.columns`: a product of floats rounds by the number of rows."""

    def embedding(self, weight: Tensor) -> FloatEmbedding:
        """See `Projections.embedding`."""
        return FloatEmbedding(weight)


class Int8Projection(Projection):
    """A product of bytes: weights with a scale per output, inputs with one constant scale.

    The scale of the inputs was calibrated and is a constant of the graph. A scale measured on the
    inputs at hand, as DynamicQuantizeMatMul does, would let every row depend on its company.
    """

    values: Tensor
    scales: Tensor
    bias: Tensor | None
    scale: Tensor
    zero_point: Tensor

    def __init__(self, weight: Tensor, bias: Tensor | None, inputs: ActivationRange) -> None:
        super().__init__()
        quantized = quantize(weight.detach().numpy(), axis=0)
        self.register_buffer("values", torch.from_numpy(quantized.values.T.copy()))
        self.register_buffer("scales", torch.from_numpy(quantized.scales))
        self.register_buffer("bias", None if bias is None else bias.detach().clone())
        self.register_buffer("scale", torch.tensor(inputs.scale, dtype=torch.float32))
        self.register_buffer("zero_point", torch.tensor(inputs.zero_point, dtype=torch.uint8))
        self.clips_negatives = inputs.zero_point == 0

    def forward(self, x: Tensor) -> Tensor:
        """(M, K) -> (M, N)."""
        return matmul_integer_to_float(
            quantize_linear(x, self.scale, self.zero_point),
            self.values,
            scale=self.scale,
            zero_point=self.zero_point,
            scales=self.scales,
            bias=self.bias,
        )


class Int8Columns(nn.Module):
    """A product of bytes with whatever columns the caller brings.

    Sums of bytes are exact in any order, and scales and bias are applied to each element alone. So
    it gives a row the bits that an `Int8Projection` of these columns gives it.
    """

    scale: Tensor
    zero_point: Tensor

    def __init__(self, inputs: ActivationRange) -> None:
        super().__init__()
        self.register_buffer("scale", torch.tensor(inputs.scale, dtype=torch.float32))
        self.register_buffer("zero_point", torch.tensor(inputs.zero_point, dtype=torch.uint8))

    def forward(self, x: Tensor, values: Tensor, scales: Tensor, bias: Tensor) -> Tensor:
        """Multiply.

        Args:
            x: (M, K).
            values: int8 (K, N).
            scales: Of the values, (N,).
            bias: (N,).

        Returns:
            (M, N).
        """
        return matmul_integer_to_float(
            quantize_linear(x, self.scale, self.zero_point),
            values,
            scale=self.scale,
            zero_point=self.zero_point,
            scales=scales,
            bias=bias,
        )


class Int8Embedding(nn.Module):
    """Rows of bytes, each times its scale."""

    values: Tensor
    scales: Tensor

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        quantized = quantize(weight.detach().numpy(), axis=0)
        self.register_buffer("values", torch.from_numpy(quantized.values))
        self.register_buffer("scales", torch.from_numpy(quantized.scales))

    def forward(self, ids: Tensor) -> Tensor:
        """(...) -> (..., K)."""
        rows = functional.embedding(ids, self.values)
        scales = self.scales.index_select(0, ids.flatten()).view(*ids.shape, 1)
        return rows.to(torch.float32) * scales


class Int8Projections:
    """Everything in bytes.

    Args:
        ranges: Of the input of every layer, by its name.
    """

    def __init__(self, ranges: Mapping[str, ActivationRange]) -> None:
        self._ranges = ranges

    def linear(self, name: str, weight: Tensor, bias: Tensor | None) -> Int8Projection:
        """See `Projections.linear`."""
        return Int8Projection(weight, bias, self._ranges[name])

    def columns(self, name: str) -> Int8Columns:
        """See `Projections.columns`."""
        return Int8Columns(self._ranges[name])

    def embedding(self, weight: Tensor) -> Int8Embedding:
        """See `Projections.embedding`."""
        return Int8Embedding(weight)
