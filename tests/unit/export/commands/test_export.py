"""Which variants `ferryman export` makes when it is asked for them, and when it is not."""

from __future__ import annotations

import pytest

from ferryman_bundle.manifest import Storage
from ferryman_export.commands.export import _Choice, _recipes
from ferryman_export.errors import ExportError


def names(storage, chosen, *, portable=False):
    return [recipe.name for recipe in _recipes(storage, chosen, portable=portable)]


@pytest.mark.parametrize(
    ("storage", "expected"),
    [
        (Storage.INT8, ["fp32", "int8"]),
        (Storage.FLOAT32, ["fp32"]),
        (Storage.FLOAT16, ["fp32"]),
    ],
)
def test_int8_is_made_by_itself_where_matrices_are_stored_as_bytes(storage, expected):
    assert names(storage, None) == expected


def test_the_most_exact_variant_is_first_whatever_the_order_asked_for():
    chosen = [_Choice.FP16, _Choice.INT8, _Choice.FP32]
    assert names(Storage.INT8, chosen) == ["fp32", "int8", "fp16"]


def test_a_portable_bundle_is_alone():
    assert names(Storage.INT8, None, portable=True) == ["portable"]
    with pytest.raises(ExportError, match="leave out --variant"):
        names(Storage.INT8, [_Choice.FP32], portable=True)


@pytest.mark.parametrize(
    ("storage", "chosen", "message"),
    [
        (Storage.INT8, [_Choice.INT8], "add --variant fp32"),
        (Storage.FLOAT32, [_Choice.FP32, _Choice.INT8], "--storage is float32"),
    ],
)
def test_variants_that_cannot_be_made_are_refused(storage, chosen, message):
    with pytest.raises(ExportError, match=message):
        names(storage, chosen)
