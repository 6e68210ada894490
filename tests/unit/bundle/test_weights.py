"""The weights file holds what was put in, and only what the manifest says."""

from __future__ import annotations

import numpy as np
import pytest
import safetensors.numpy

from ferryman_bundle import BundleError
from ferryman_bundle.manifest import Initializer, Part, Storage
from ferryman_bundle.quantization import dequantize, quantize
from ferryman_bundle.weights import Weights, pack_weights


def unpack(content, entries):
    """Every tensor as float32."""
    weights = Weights(content, entries, file="weights")
    return {name: weights.values(Initializer(tensor=name)) for name in entries}


def test_a_rounded_matrix_takes_a_byte_per_value(tensors):
    content, entries = pack_weights(tensors, Storage.INT8)
    assert entries["embedding.weight"].storage is Storage.INT8
    assert entries["step.kernel"].storage is Storage.FLOAT32
    assert safetensors.numpy.load(content)["embedding.weight"].dtype == np.int8


@pytest.mark.parametrize("storage", list(Storage))
def test_what_is_packed_comes_out_bit_for_bit(tensors, storage):
    content, entries = pack_weights(tensors, storage)
    unpacked = unpack(content, entries)
    assert unpacked.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert unpacked[name].tobytes() == tensor.tobytes()


def test_equal_tensors_give_equal_bytes_in_any_order(tensors):
    turned = dict(reversed(tensors.items()))
    assert pack_weights(tensors, Storage.INT8) == pack_weights(turned, Storage.INT8)


def test_infinities_survive():
    tensors = {"never": np.float32([0.0, -np.inf])}
    content, entries = pack_weights(tensors, Storage.INT8)
    np.testing.assert_array_equal(unpack(content, entries)["never"], tensors["never"])


@pytest.fixture
def stored(tensors):
    return safetensors.numpy.load(pack_weights(tensors, Storage.INT8)[0])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("norm.bias"), "lacks 'norm.bias'"),
        (lambda s: s.pop("embedding.weight:scale"), "lacks 'embedding.weight:scale'"),
        (lambda s: s.update(more=np.zeros(1)), "holds 'more'"),
        (
            lambda s: s.update({"norm.bias": np.zeros(9, np.float32)}),
            r"'norm.bias' is float32 \(9,\)",
        ),
        (lambda s: s.update({"norm.bias": np.zeros(8, np.int8)}), r"'norm.bias' is int8 \(8,\)"),
    ],
)
def test_a_file_that_is_not_what_the_manifest_says_is_refused(stored, tensors, change, message):
    _, entries = pack_weights(tensors, Storage.INT8)
    change(stored)
    with pytest.raises(BundleError, match=f"^weights: {message}"):
        unpack(safetensors.numpy.save(stored), entries)


@pytest.mark.parametrize("content", [b"", b"\0" * 8, b"\xff" * 64, b"PK\3\4 no tensors here"])
def test_what_is_no_safetensors_file_is_refused(content, tensors):
    _, entries = pack_weights(tensors, Storage.INT8)
    with pytest.raises(BundleError, match=r"^weights: is no safetensors file"):
        unpack(content, entries)


@pytest.fixture
def weights(tensors):
    return Weights(*pack_weights(tensors, Storage.INT8), file="weights")


@pytest.mark.parametrize("transposed", [False, True])
def test_every_part_of_a_rounded_matrix_can_be_had(weights, tensors, transposed):
    matrix = tensors["embedding.weight"]
    quantized = quantize(matrix, 0)
    expected = {
        Part.FLOATS: matrix,
        Part.HALVES: matrix.astype(np.float16),
        Part.VALUES: quantized.values,
    }
    for part, values in expected.items():
        found = weights.values(
            Initializer(tensor="embedding.weight", part=part, transposed=transposed)
        )
        assert found.dtype == values.dtype
        assert found.flags.c_contiguous
        np.testing.assert_array_equal(found, values.T if transposed else values)
    scales = weights.values(Initializer(tensor="embedding.weight", part=Part.SCALES))
    np.testing.assert_array_equal(scales, quantized.scales)
    assert scales.dtype == np.float32


def test_who_asks_twice_gets_the_same_array_and_cannot_change_it(weights):
    for part in (Part.FLOATS, Part.HALVES, Part.VALUES, Part.SCALES):
        for transposed in (False, True)[: 1 if part is Part.SCALES else 2]:
            wanted = Initializer(tensor="embedding.weight", part=part, transposed=transposed)
            once, twice = weights.values(wanted), weights.values(wanted.model_copy())
            assert once is twice
            with pytest.raises(ValueError, match="read-only"):
                once[...] = 0


def test_asking_for_bytes_makes_no_floats(weights, monkeypatch):
    """A process that runs int8 only must not need four times its memory."""
    monkeypatch.setattr("ferryman_bundle.weights.dequantize", _must_not_dequantize)
    for part in (Part.VALUES, Part.SCALES):
        weights.values(Initializer(tensor="embedding.weight", part=part))
    with pytest.raises(AssertionError, match="dequantized"):
        weights.values(Initializer(tensor="embedding.weight"))


def _must_not_dequantize(quantized):
    raise AssertionError("dequantized")


def test_halves_are_stored_where_nothing_is_lost():
    draw = np.random.default_rng(1)
    exact = draw.normal(size=(6, 4)).astype(np.float16).astype(np.float32)
    tensors = {"exact": exact, "fine": exact + 1e-6, "large": exact * 1e6}
    content, entries = pack_weights(tensors, Storage.FLOAT16)
    assert {name: entry.storage.value for name, entry in entries.items()} == {
        "exact": "float16",
        "fine": "float32",
        "large": "float32",
    }
    weights = Weights(content, entries, file="weights")
    for name, tensor in tensors.items():
        np.testing.assert_array_equal(weights.values(Initializer(tensor=name)), tensor)
    halves = weights.values(Initializer(tensor="exact", part=Part.HALVES))
    assert halves.dtype == np.float16
    assert np.isinf(weights.values(Initializer(tensor="large", part=Part.HALVES))).any()


def test_a_matrix_with_a_scale_per_column_comes_back_too():
    matrix = dequantize(
        quantize(np.random.default_rng(1).normal(size=(6, 4)).astype(np.float32), 1)
    )
    weights = Weights(*pack_weights({"w": matrix}, Storage.INT8), file="weights")
    scales = weights.values(Initializer(tensor="w", part=Part.SCALES))
    values = weights.values(Initializer(tensor="w", part=Part.VALUES, transposed=True))
    assert scales.shape == (4,)
    np.testing.assert_array_equal((values * scales[:, None]).T, matrix)
