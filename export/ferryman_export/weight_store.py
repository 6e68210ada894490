"""The tensors of a bundle while it is made: each is kept once, whichever graphs read it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ferryman_bundle.manifest import WEIGHTS, Storage
from ferryman_bundle.quantization import Floats, recognize
from ferryman_bundle.variant import Initializer, Part
from ferryman_bundle.weights import Array, Weights, pack_weights
from ferryman_export.errors import ExportError

_Content = tuple[str, tuple[int, ...], bytes]


class WeightStore:
    """Tensors that are told apart by content, not by name.

    torch.onnx merges parameters that are equal, and two graphs may use one name for two things.
    What a graph computes with in bytes is found among the matrices that were rounded to bytes, so a
    variant in int8 adds nothing to the file.

    Args:
        names: What tensors of this content are to be called; others keep their graph's name.
    """

    def __init__(self, names: Mapping[str, Floats] | None = None) -> None:
        self.tensors: dict[str, Floats] = {}
        self._names = {_content(array): name for name, array in (names or {}).items()}
        self._places: dict[_Content, Initializer] = {}
        self._unread: list[str] = []

    def place(self, name: str, array: Array) -> Initializer:
        """Return where the content of an initializer is kept, after keeping it if need be.

        Args:
            name: What the graph calls it.
            array: float32 of any shape; or the bytes of a matrix, which must be here already.

        Raises:
            ExportError: The bytes belong to no matrix.
        """
        content = _content(array)
        if array.dtype != np.float32 or content not in self._places:
            self._read_matrices()
        if content not in self._places:
            if array.dtype != np.float32:
                raise ExportError(
                    f"the bytes of {name} are not those of a stored matrix; int8 graphs need a "
                    "model that was rounded to int8"
                )
            self._places[content] = Initializer(tensor=self._keep(name, content, array))
        return self._places[content]

    def values(self, storage: Storage) -> Weights:
        """Return what a loader of the bundle would read."""
        content, entries = pack_weights(self.tensors, storage)
        return Weights(content, entries, file=WEIGHTS)

    def _keep(self, name: str, content: _Content, array: Floats) -> str:
        name = self._names.get(content, name)
        number = 2
        own = name
        while own in self.tensors:
            own, number = f"{name}.{number}", number + 1
        self.tensors[own] = np.array(array)
        self._unread.append(own)
        return own

    def _read_matrices(self) -> None:
        """Take note of the bytes and scales of the matrices that have come since the last time."""
        for name in self._unread:
            quantized = recognize(self.tensors[name])
            if quantized is None:
                continue
            for array, part, transposed in (
                (quantized.values, Part.VALUES, False),
                (quantized.values.T, Part.VALUES, True),
                (quantized.scales, Part.SCALES, False),
            ):
                place = Initializer(tensor=name, part=part, transposed=transposed)
                self._places.setdefault(_content(array), place)
        self._unread.clear()


def _content(array: npt.NDArray[Any]) -> _Content:
    array = np.ascontiguousarray(array)
    return array.dtype.name, array.shape, hashlib.sha256(array.tobytes()).digest()
