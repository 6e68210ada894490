"""State on a device: moved by the bundle's small graphs, and never brought to the host.

Every tensor has its greatest size from the start. Nothing is allocated while sentences come and go,
so a batch that fitted once always fits, and all addresses stay what they are.

Dimension key:
    n: sources    W: beam width    R: rows, n * W    m: what is moved
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import onnxruntime

from ferryman_bundle import StateKind, StateTensor
from ferryman_server.engine.search import Ints, Lengths
from ferryman_server.engine.storage import Filled
from ferryman_server.runtime.session import Device

STATE_GRAPHS: Final = ("admit", "reorder", "release")
"""The graphs of a bundle that a device needs."""


@dataclass(frozen=True, slots=True)
class DeviceTensor:
    """The first rows of a tensor on a device."""

    value: onnxruntime.OrtValue
    """All of its rows."""
    dtype: np.dtype[Any]
    shape: tuple[int, ...]

    @classmethod
    def of(cls, value: onnxruntime.OrtValue, dtype: str) -> DeviceTensor:
        """Return the whole of a tensor."""
        return cls(value, np.dtype(dtype), tuple(value.shape()))

    def first(self, rows: int) -> DeviceTensor:
        """Return its first rows."""
        return DeviceTensor(self.value, self.dtype, (rows, *self.shape[1:]))


@dataclass(frozen=True, slots=True)
class Extents:
    """The sizes of the axes that grow, at their greatest."""

    source_length: int
    capacity: int

    def shape(self, tensor: StateTensor, *, sources: int, width: int) -> tuple[int, ...]:
        """Return the shape of a tensor for so many sources."""
        sizes = {
            "sources": sources,
            "hypotheses": sources * width,
            "source_length": self.source_length,
            "capacity": self.capacity,
        }
        return tuple(sizes[size] if isinstance(size, str) else size for size in tensor.shape)


def state_bytes(
    tensors: Sequence[StateTensor], extents: Extents, *, sources: int, width: int
) -> int:
    """Return the memory that a `DeviceStorage` takes, in bytes."""
    return sum(
        math.prod(extents.shape(tensor, sources=sources, width=width))
        * np.dtype(tensor.dtype).itemsize
        * (2 if tensor.kind is StateKind.RECURRENT else 1)
        for tensor in tensors
    )


class DeviceStorage:
    """The state of one running batch on a device; see `engine.storage.Storage`.

    Recurrent tensors are there twice: a step reads one and writes the other, and then they swap.

    Args:
        tensors: The declared state.
        sessions: Of the graphs `STATE_GRAPHS`.
        extents: The greatest sizes.
        width: Beam width W.
        max_sources: The most sources there will be.
        device: Where the memory is.
    """

    is_elastic = False

    def __init__(
        self,
        tensors: Sequence[StateTensor],
        sessions: Mapping[str, onnxruntime.InferenceSession],
        *,
        extents: Extents,
        width: int,
        max_sources: int,
        device: Device,
    ) -> None:
        self._tensors = {tensor.name: tensor for tensor in tensors}
        self._sessions = sessions
        self._extents = extents
        self._width = np.array([width], np.int64)
        self._device = device
        self.side = 0
        self.nbytes = state_bytes(tensors, extents, sources=max_sources, width=width)
        self._row_bytes = {
            tensor.name: state_bytes([tensor], extents, sources=1, width=1) for tensor in tensors
        }
        self._sides = [
            {
                tensor.name: self._allocate(
                    tensor, extents.shape(tensor, sources=max_sources, width=width)
                )
                for tensor in tensors
                if tensor.kind is StateKind.RECURRENT or not other_side
            }
            for other_side in (False, True)
        ]

    def extent(self, kind: StateKind) -> int:
        """See `Storage.extent`."""
        if not any(t.kind is kind and t.length_axis is not None for t in self._tensors.values()):
            return 0
        memory = kind is StateKind.MEMORY
        return self._extents.source_length if memory else self._extents.capacity

    def view(self, name: str, sources: int) -> DeviceTensor:
        """See `Storage.view`."""
        return self._now(name).first(self._rows(name, sources))

    def successor(self, name: str, sources: int) -> DeviceTensor:
        """See `Storage.successor`; a cache is continued in place."""
        side = 1 - self.side if self._is_recurrent(name) else 0
        return self._sides[side][name].first(self._rows(name, sources))

    def write(
        self, slots: Sequence[int], outputs: Mapping[str, Any], sources: Sequence[int]
    ) -> None:
        """See `Storage.write`."""
        count = next(iter(outputs.values())).shape[0]
        encoded = {
            f"encoded.{name}": outputs.get(name, self._first_state(tensor, count))
            for name, tensor in self._tensors.items()
            if tensor.kind is not StateKind.CACHE
        }
        self._run(
            "admit",
            {**encoded, "slots": np.array(slots), "sources": np.array(sources)},
        )

    def move(self, moves: Sequence[tuple[int, int]], filled: Filled) -> int:  # noqa: ARG002
        """See `Storage.move`; whole slots are moved, filled or not."""
        sources, targets = np.array(moves).T
        self._run("release", {"sources": sources.copy(), "targets": targets.copy()})
        return len(moves) * sum(
            row * (self._rows(name, 1)) for name, row in self._row_bytes.items()
        )

    def copy_rows(self, sources: Ints, targets: Ints, lengths: Lengths) -> int:  # noqa: ARG002
        """See `Storage.copy_rows`; whole rows are copied, filled or not."""
        self._run("reorder", {"sources": sources, "targets": targets})
        return len(sources) * sum(
            row
            for name, row in self._row_bytes.items()
            if self._tensors[name].kind is not StateKind.MEMORY
        )

    def resize(self, kind: StateKind, extent: int, filled: Mapping[int, int]) -> int:  # noqa: ARG002
        """Is never asked for: see `is_elastic`."""
        raise AssertionError("a storage of fixed size is not resized")

    def advance(self, sources: int) -> None:  # noqa: ARG002
        """See `Storage.advance`."""
        if self._sides[1]:
            self.side = 1 - self.side

    def _allocate(self, tensor: StateTensor, shape: tuple[int, ...]) -> DeviceTensor:
        value = onnxruntime.OrtValue.ortvalue_from_shape_and_type(
            list(shape), np.dtype(tensor.dtype).type, self._device, 0
        )
        return DeviceTensor.of(value, tensor.dtype)

    def _is_recurrent(self, name: str) -> bool:
        return self._tensors[name].kind is StateKind.RECURRENT

    def _now(self, name: str) -> DeviceTensor:
        return self._sides[self.side if self._is_recurrent(name) else 0][name]

    def _rows(self, name: str, sources: int) -> int:
        of_source = self._tensors[name].kind is StateKind.MEMORY
        return sources if of_source else sources * int(self._width[0])

    def _first_state(self, tensor: StateTensor, count: int) -> npt.NDArray[Any]:
        """Return what a recurrent tensor starts from where the encoder returns none."""
        shape = (count, *self._extents.shape(tensor, sources=1, width=1)[1:])
        return np.full(shape, tensor.padding, tensor.dtype)

    def _run(self, graph: str, given: Mapping[str, Any]) -> None:
        """Run a graph over the pools, in place; small arrays come from the host."""
        session = self._sessions[graph]
        binding = session.io_binding()
        for node in session.get_inputs():
            if node.name in self._tensors:
                binding.bind_ortvalue_input(node.name, self._now(node.name).value)
            elif isinstance(value := given.get(node.name, self._width), DeviceTensor):
                binding.bind_ortvalue_input(node.name, value.value)
            else:
                binding.bind_cpu_input(node.name, np.ascontiguousarray(value))
        for node in session.get_outputs():
            name = node.name.removeprefix("next.")
            binding.bind_ortvalue_output(node.name, self._now(name).value)
        session.run_with_iobinding(binding)
