"""The weights file holds what was put in, and only what the manifest says."""

from __future__ import annotations

import numpy as np
import pytest
import safetensors.numpy

from ferryman_bundle import BundleError
from ferryman_bundle.manifest import Storage
from ferryman_bundle.weights import pack_weights, unpack_weights


def test_a_rounded_matrix_takes_a_byte_per_value(tensors):
    content, entries = pack_weights(tensors, Storage.INT8)
    assert entries["embedding.weight"].storage is Storage.INT8
    assert entries["step.kernel"].storage is Storage.FLOAT32
    assert safetensors.numpy.load(content)["embedding.weight"].dtype == np.int8


@pytest.mark.parametrize("storage", list(Storage))
def test_what_is_packed_comes_out_bit_for_bit(tensors, storage):
    content, entries = pack_weights(tensors, storage)
    unpacked = unpack_weights(content, entries, file="weights")
    assert unpacked.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert unpacked[name].tobytes() == tensor.tobytes()


def test_equal_tensors_give_equal_bytes_in_any_order(tensors):
    turned = dict(reversed(tensors.items()))
    assert pack_weights(tensors, Storage.INT8) == pack_weights(turned, Storage.INT8)


def test_infinities_survive():
    tensors = {"never": np.float32([0.0, -np.inf])}
    content, entries = pack_weights(tensors, Storage.INT8)
    np.testing.assert_array_equal(
        unpack_weights(content, entries, file="w")["never"], tensors["never"]
    )


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
        unpack_weights(safetensors.numpy.save(stored), entries, file="weights")


@pytest.mark.parametrize("content", [b"", b"\0" * 8, b"\xff" * 64, b"PK\3\4 no tensors here"])
def test_what_is_no_safetensors_file_is_refused(content):
    with pytest.raises(BundleError, match=r"^weights: is no safetensors file"):
        unpack_weights(content, {}, file="weights")
