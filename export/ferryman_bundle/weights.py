"""The weights file: every tensor once, in safetensors; rounded matrices as bytes and scales."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import safetensors
import safetensors.numpy

from ferryman_bundle.errors import BundleError
from ferryman_bundle.manifest import Storage, WeightEntry
from ferryman_bundle.quantization import Floats, Quantized, dequantize, recognize

_SCALE_SUFFIX = ":scale"


def pack_weights(
    tensors: Mapping[str, Floats], storage: Storage
) -> tuple[bytes, dict[str, WeightEntry]]:
    """Write tensors into the bytes of a weights file.

    Args:
        tensors: float32, by the name that the graphs use.
        storage: ``int8`` stores the matrices that were rounded before the export as bytes and
            everything else as it is, so no value changes here; ``float32`` stores all as they are.

    Returns:
        The file and what the manifest says of each tensor, by name. Equal input gives equal bytes.
    """
    stored: dict[str, npt.NDArray[Any]] = {}
    entries: dict[str, WeightEntry] = {}
    for name in sorted(tensors):
        tensor = np.ascontiguousarray(tensors[name])
        quantized = recognize(tensor) if storage is Storage.INT8 else None
        if quantized is None:
            stored[name] = tensor
            entries[name] = WeightEntry(storage=Storage.FLOAT32, axis=None, shape=tensor.shape)
        else:
            stored[name] = quantized.values
            stored[name + _SCALE_SUFFIX] = quantized.scales
            entries[name] = WeightEntry(
                storage=Storage.INT8, axis=quantized.axis, shape=tensor.shape
            )
    return safetensors.numpy.save(stored), entries


def unpack_weights(
    content: bytes, entries: Mapping[str, WeightEntry], *, file: str
) -> dict[str, Floats]:
    """Read every tensor of a weights file as float32.

    Args:
        content: What `pack_weights` wrote.
        entries: What the manifest says of each tensor, by name.
        file: What error messages call the file.

    Raises:
        BundleError: The file is no safetensors file, or not the one that `entries` describe.
    """
    try:
        stored = safetensors.numpy.load(content)
    # safetensors.numpy meets a data type it has no name for with a KeyError.
    except (safetensors.SafetensorError, KeyError, ValueError) as error:
        raise BundleError(f"{file}: is no safetensors file ({error}); export again") from error
    tensors = {name: _unpack(name, entry, stored, file) for name, entry in entries.items()}
    if stored:
        raise BundleError(
            f"{file}: holds {min(stored)!r}, which the manifest does not name; export again"
        )
    return tensors


def _unpack(
    name: str, entry: WeightEntry, stored: dict[str, npt.NDArray[Any]], file: str
) -> Floats:
    """Take one tensor out of `stored`."""
    values = _take(name, entry.shape, np.dtype(entry.storage.value), stored, file)
    if entry.axis is None:
        return values
    scale = name + _SCALE_SUFFIX
    scales = _take(scale, (entry.shape[entry.axis],), np.dtype(np.float32), stored, file)
    return dequantize(Quantized(values, scales, entry.axis))


def _take(
    name: str,
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    stored: dict[str, npt.NDArray[Any]],
    file: str,
) -> npt.NDArray[Any]:
    """Take one stored array out of `stored`, which must have this shape and type."""
    array = stored.pop(name, None)
    if array is None:
        raise BundleError(f"{file}: lacks {name!r}, which the manifest names; export again")
    if array.shape != shape or array.dtype != dtype:
        raise BundleError(
            f"{file}: {name!r} is {array.dtype} {array.shape}, "
            f"but the manifest says {dtype} {shape}; export again"
        )
    return array
