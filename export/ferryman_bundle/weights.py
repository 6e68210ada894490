"""The weights file: every tensor once, in safetensors; rounded matrices as bytes and scales."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import safetensors
import safetensors.numpy

from ferryman_bundle.errors import BundleError
from ferryman_bundle.quantization import Floats, Quantized, dequantize, recognize
from ferryman_bundle.variant import Initializer, Part, Storage, WeightEntry

_SCALE_SUFFIX = ":scale"

Array = npt.NDArray[Any]


def pack_weights(
    tensors: Mapping[str, Floats], storage: Storage
) -> tuple[bytes, dict[str, WeightEntry]]:
    """Write tensors into the bytes of a weights file.

    No value changes here: what was not rounded before the export is stored as float32.

    Args:
        tensors: float32, by the name that the graphs use.
        storage: ``int8`` stores the matrices that were rounded to it as bytes and scales,
            ``float16`` what float16 can hold exactly, ``float32`` everything as it is.

    Returns:
        The file and what the manifest says of each tensor, by name. Equal input gives equal bytes.
    """
    stored: dict[str, Array] = {}
    entries: dict[str, WeightEntry] = {}
    for name in sorted(tensors):
        tensor = np.ascontiguousarray(tensors[name])
        stored[name], kept = tensor, Storage.FLOAT32
        axis = None
        if storage is Storage.FLOAT16 and (halves := _exact_halves(tensor)) is not None:
            stored[name], kept = halves, Storage.FLOAT16
        if storage is Storage.INT8 and (quantized := recognize(tensor)) is not None:
            stored[name], kept, axis = quantized.values, Storage.INT8, quantized.axis
            stored[name + _SCALE_SUFFIX] = quantized.scales
        entries[name] = WeightEntry(storage=kept, axis=axis, shape=tensor.shape)
    return safetensors.numpy.save(stored), entries


def _exact_halves(tensor: Floats) -> npt.NDArray[np.float16] | None:
    """Return a tensor as float16 if that loses nothing, else None."""
    with np.errstate(over="ignore"):
        halves = tensor.astype(np.float16)
    return halves if np.array_equal(halves.astype(np.float32), tensor) else None


class Weights:
    """The tensors of a weights file, in every form that a graph may ask for.

    The file is parsed when the first tensor is asked for, and every form of a tensor is made when
    it is first asked for; all who ask get the same array, which cannot be written to. So all
    sessions share one copy, and a process that runs int8 only never has the float32 values.

    Args:
        content: What `pack_weights` wrote.
        entries: What the manifest says of each tensor, by name.
        file: What error messages call the file.
    """

    def __init__(self, content: bytes, entries: Mapping[str, WeightEntry], *, file: str) -> None:
        self._content = content
        self._entries = entries
        self._file = file
        self._stored: dict[str, Array] = {}
        self._arrays: dict[tuple[str, Part, bool], Array] = {}
        # Models may be loaded by several threads; a form must not be made twice.
        self._lock = threading.Lock()

    def values(self, initializer: Initializer) -> Array:
        """Return the values of an initializer, which the manifest has been checked to have.

        Raises:
            BundleError: The file is no safetensors file, or not the one that the manifest says.
        """
        with self._lock:
            if not self._stored:
                self._stored = self._load()
            key = (initializer.tensor, initializer.part, initializer.transposed)
            if key not in self._arrays:
                array = self._part(initializer.tensor, initializer.part)
                if initializer.transposed:
                    array = np.ascontiguousarray(array.T)
                array.flags.writeable = False
                self._arrays[key] = array
            return self._arrays[key]

    def _part(self, name: str, part: Part) -> Array:
        entry, stored = self._entries[name], self._stored[name]
        match part:
            case Part.VALUES:
                return stored
            case Part.SCALES:
                return self._stored[name + _SCALE_SUFFIX]
            case Part.HALVES | Part.FLOATS if entry.axis is not None:
                scales = self._stored[name + _SCALE_SUFFIX]
                stored = dequantize(Quantized(stored, scales, entry.axis))
        dtype = np.float16 if part is Part.HALVES else np.float32
        # What float16 cannot hold becomes infinite; parity is what notices.
        with np.errstate(over="ignore"):
            return stored.astype(dtype, copy=False)

    def _load(self) -> dict[str, Array]:
        """Parse the file, and compare it with what the manifest says."""
        try:
            stored = safetensors.numpy.load(self._content)
        # safetensors.numpy meets a data type it has no name for with a KeyError.
        except (safetensors.SafetensorError, KeyError, ValueError) as error:
            raise BundleError(
                f"{self._file}: is no safetensors file ({error}); export again"
            ) from error
        expected: dict[str, tuple[np.dtype[Any], tuple[int, ...]]] = {}
        for name, entry in self._entries.items():
            expected[name] = np.dtype(entry.storage.value), entry.shape
            if entry.axis is not None:
                scales = np.dtype(np.float32), (entry.shape[entry.axis],)
                expected[name + _SCALE_SUFFIX] = scales
        for name, (dtype, shape) in expected.items():
            if name not in stored:
                raise BundleError(
                    f"{self._file}: lacks {name!r}, which the manifest names; export again"
                )
            if (stored[name].dtype, stored[name].shape) != (dtype, shape):
                raise BundleError(
                    f"{self._file}: {name!r} is {stored[name].dtype} {stored[name].shape}, "
                    f"but the manifest says {dtype} {shape}; export again"
                )
        more = set(stored) - set(expected)
        if more:
            raise BundleError(
                f"{self._file}: holds {min(more)!r}, which the manifest does not name; export again"
            )
        return stored
