"""A pool: the memory behind all state tensors of one shape, a fixed run of rows for every slot.

Tensors of equal shape (the keys and values of all layers) share one buffer, so that a row is
copied for all layers by one call, and every tensor is still contiguous over its first rows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from ferryman_bundle import StateKind, StateTensor
from ferryman_server.engine.search import Floats

_ALL = slice(None)


class Pool:
    """Rows of the state tensors that were declared alike.

    Args:
        tensors: Declarations that agree in all but name and output.
        rows_per_slot: Rows that belong to one slot.
        slots: The most slots there will be.

    Attributes:
        kind: The kind of state.
        extent: The size of the axis that grows; 0 where none does.
    """

    def __init__(self, tensors: Sequence[StateTensor], *, rows_per_slot: int, slots: int) -> None:
        first = tensors[0]
        self.kind = first.kind
        self.extent = 0
        self._index = {tensor.name: index for index, tensor in enumerate(tensors)}
        self._rows_per_slot = rows_per_slot
        self._padding = first.padding
        self._dtype = np.dtype(first.dtype)
        # The buffer has one axis more than the tensors; it tells them apart.
        self._axis = None if first.length_axis is None else first.length_axis + 1
        sizes = [size if isinstance(size, int) else 0 for size in first.shape[1:]]
        self._shape = [len(tensors), rows_per_slot * slots, *sizes]
        self._memory = self._spare = np.empty(0, self._dtype)
        self._buffer = self._allocate()

    def _allocate(self) -> Floats:
        """Return a buffer of the present extent, in the memory that the last but one was in.

        Two pieces of memory take turns: fresh pages cost more than the copy that they are for.
        """
        shape = list(self._shape)
        if self._axis is not None:
            shape[self._axis] = self.extent
        size = math.prod(shape)
        if size > self._spare.size:
            # It takes up no room before it is written, so all slots can have theirs at once.
            self._spare = np.empty(size, self._dtype)
        self._memory, self._spare = self._spare, self._memory
        return self._memory[:size].reshape(shape)

    @property
    def nbytes(self) -> int:
        """The memory of both buffers, in bytes."""
        return self._memory.nbytes + self._spare.nbytes

    def view(self, name: str, slots: int) -> Floats:
        """Return the rows of the first slots of one tensor, without a copy."""
        return self._buffer[self._index[name], : slots * self._rows_per_slot]

    def write(self, slot: int, outputs: Mapping[str, Floats], source: int) -> None:
        """Start a slot from row ``source`` of what the encoder returned.

        Every row of the slot gets the same; memory is padded beyond the end of that row. Recurrent
        tensors that the encoder does not return start as padding, and caches as empty.
        """
        rows = self._rows(slot)
        for name, index in self._index.items():
            into = self._buffer[index, rows]
            if name in outputs:
                value = outputs[name][source]
                if self._axis is None:
                    into[...] = value
                    continue
                length = value.shape[self._axis - 2]
                into[self._up_to(length)[1:]] = value
                into[self._beyond(length)[1:]] = self._padding
            elif self.kind is StateKind.RECURRENT:
                into[...] = self._padding

    def move(self, source: int, target: int, length: int) -> int:
        """Copy a slot onto another, as far as it is filled; return the bytes copied."""
        self._pad(self._rows(target), length)
        return self._copy(self._rows(source), self._rows(target), length)

    def copy_row(self, source: int, target: int, length: int) -> int:
        """Copy a row onto another, as far as it is filled; return the bytes copied."""
        return self._copy(slice(source, source + 1), slice(target, target + 1), length)

    def resize(self, extent: int, filled: Mapping[int, int]) -> int:
        """Change the extent and keep what some slots hold; return the bytes copied.

        Args:
            extent: The new extent.
            filled: The slots to keep, and how far each is filled.
        """
        if self._axis is None or extent == self.extent:
            return 0
        old = self._buffer
        self.extent = extent
        self._buffer = self._allocate()
        copied = 0
        for slot, length in filled.items():
            rows = self._rows(slot)
            part = old[:, rows][self._up_to(length)]
            self._buffer[:, rows][self._up_to(length)] = part
            self._pad(rows, length)
            copied += part.nbytes
        return copied

    def _rows(self, slot: int) -> slice:
        return slice(slot * self._rows_per_slot, (slot + 1) * self._rows_per_slot)

    def _up_to(self, length: int) -> tuple[slice, ...]:
        if self._axis is None:
            return (_ALL,)
        return (*(_ALL,) * self._axis, slice(length))

    def _beyond(self, length: int) -> tuple[slice, ...]:
        assert self._axis is not None
        return (*(_ALL,) * self._axis, slice(length, None))

    def _pad(self, rows: slice, length: int) -> None:
        """Write padding where every hypothesis would read it: a cache is read only where filled."""
        if self.kind is StateKind.MEMORY and self._axis is not None:
            self._buffer[:, rows][self._beyond(length)] = self._padding

    def _copy(self, source: slice, target: slice, length: int) -> int:
        part = self._buffer[:, source][self._up_to(length)]
        self._buffer[:, target][self._up_to(length)] = part
        return part.nbytes
