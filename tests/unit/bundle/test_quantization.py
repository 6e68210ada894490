"""Rounding a matrix twice is rounding it once, to the bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ferryman_bundle.quantization import dequantize, quantize, recognize

MATRICES = hnp.arrays(
    np.float32,
    hnp.array_shapes(min_dims=2, max_dims=2, max_side=9),
    elements=st.floats(
        width=32, allow_nan=False, allow_infinity=False, min_value=-(2.0**99), max_value=2.0**99
    ),
)
AXES = st.sampled_from([0, 1])


@given(MATRICES, AXES)
def test_rounding_is_a_fixed_point(matrix, axis):
    once = quantize(matrix, axis)
    twice = quantize(dequantize(once), axis)
    np.testing.assert_array_equal(once.values, twice.values)
    np.testing.assert_array_equal(once.scales, twice.scales)


@given(MATRICES, AXES)
def test_no_value_moves_by_more_than_half_a_step(matrix, axis):
    quantized = quantize(matrix, axis)
    steps = np.expand_dims(quantized.scales, 1 - axis).astype(np.float64)
    moved = np.abs(dequantize(quantized).astype(np.float64) - matrix)
    # Slices that are tiny throughout become zero; nothing in them was larger than this.
    assert (moved <= np.maximum(steps * 0.5000001, 1e-30)).all()


@given(MATRICES, AXES)
def test_a_scale_wastes_at_most_a_two_thousandth(matrix, axis):
    quantized = quantize(matrix, axis)
    peaks = np.abs(matrix).max(axis=1 - axis)
    used = peaks >= 1e-30
    ratio = quantized.scales[used].astype(np.float64) * 127 / peaks[used]
    assert ((ratio >= 1) & (ratio <= 1 + 2**-11)).all()
    assert not quantized.scales[~used].any()


@given(MATRICES, AXES)
def test_a_rounded_matrix_is_recognized(matrix, axis):
    rounded = dequantize(quantize(matrix, axis))
    found = recognize(rounded)
    assert found is not None
    np.testing.assert_array_equal(dequantize(found), rounded)


def test_a_matrix_that_was_not_rounded_is_not_recognized():
    matrix = np.random.default_rng(0).normal(size=(16, 16)).astype(np.float32)
    assert recognize(matrix) is None


@pytest.mark.parametrize(
    "array",
    [
        np.zeros(4, np.float32),
        np.full((2, 2), -np.inf, np.float32),
        np.full((2, 2), np.nan, np.float32),
    ],
    ids=["vector", "infinite", "NaN"],
)
def test_what_bytes_cannot_hold_is_not_recognized(array):
    assert recognize(array) is None
