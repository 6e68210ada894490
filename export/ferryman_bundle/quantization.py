"""Weights as signed bytes, one scale per row or column, with a rounding that is a fixed point.

Rounding a matrix twice gives the bytes and the scales of rounding it once. So a matrix that was
rounded before the graph was traced can be recognised in the graph by its content alone, whatever
the exporter called it or merged it with.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

Axis = Literal[0, 1]
Floats = npt.NDArray[np.float32]

_LEVELS = 127
"""Largest magnitude: -128 is left out, so that the range is symmetric."""
_SCALE_BITS = 12
"""Mantissa bits of a scale. A byte has 7 and float32 has 24, so every product is exact."""
_SMALLEST_PEAK = 1e-30
"""What is smaller throughout counts as zero: products near it would be subnormal and inexact."""


@dataclass(frozen=True, slots=True)
class Quantized:
    """A matrix as bytes and scales."""

    values: npt.NDArray[np.int8]
    """(M, N)."""
    scales: Floats
    """(M,) for axis 0, (N,) for axis 1."""
    axis: Axis
    """The axis along which every entry has a scale of its own."""


def quantize(matrix: Floats, axis: Axis) -> Quantized:
    """Round a matrix to signed bytes, symmetrically, with one scale per entry of `axis`.

    Scales are rounded up to 12 bits, by which the largest magnitude of every slice still becomes
    127; that is what makes ``quantize(dequantize(q), q.axis)`` equal `q` bit for bit.

    Args:
        matrix: (M, N), finite.
        axis: 0 for a scale per row, 1 for a scale per column.
    """
    peaks = np.abs(matrix).max(axis=1 - axis).astype(np.float64)
    peaks[peaks < _SMALLEST_PEAK] = 0.0
    mantissas, exponents = np.frexp(peaks / _LEVELS)
    scales = np.ldexp(np.ceil(np.ldexp(mantissas, _SCALE_BITS)), exponents - _SCALE_BITS)
    divisors = np.expand_dims(np.where(scales > 0, scales, np.inf), 1 - axis)
    values = np.rint(matrix / divisors).astype(np.int8)
    return Quantized(values, scales.astype(np.float32), axis)


def dequantize(quantized: Quantized) -> Floats:
    """Return the float32 matrix, (M, N), that the bytes and scales stand for."""
    scales = np.expand_dims(quantized.scales, 1 - quantized.axis)
    return quantized.values.astype(np.float32) * scales


def recognize(matrix: Floats) -> Quantized | None:
    """Return the bytes and scales of a matrix that was rounded before, else None."""
    if matrix.ndim != 2 or not np.isfinite(matrix).all():
        return None
    axes: tuple[Axis, Axis] = (0, 1)
    for axis in axes:
        quantized = quantize(matrix, axis)
        if np.array_equal(dequantize(quantized), matrix):
            return quantized
    return None
