"""Where the tensors of a running batch are: in host memory here, on a device with a runtime.

Dimension key:
    n: sources    W: beam width    R: rows, n * W
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from typing import Any, Protocol

import numpy as np

from ferryman_bundle import StateKind, StateTensor
from ferryman_server.engine.pool import Pool
from ferryman_server.engine.search import Floats, Ints, Lengths

Filled = Callable[[int, StateKind], int]
"""Tells how far the rows of a slot are filled, by kind of state."""
Block = Any
"""The first rows of a tensor: an array, or whatever a runtime binds; it has a ``shape``."""


class Storage(Protocol):
    """What moves the state about, for as many slots as there may be."""

    is_elastic: bool
    """Whether `resize` changes extents; else each is the greatest from the start."""
    side: int
    """Which of two places recurrent tensors are read from now; the other is written to."""

    @property
    def nbytes(self) -> int:
        """The memory of all tensors, in bytes."""
        ...

    def extent(self, kind: StateKind) -> int:
        """Return the size of the axis that grows; 0 where none does."""
        ...

    def view(self, name: str, sources: int) -> Block:
        """Return a tensor of the first slots, (n or R, ...), without a copy."""
        ...

    def successor(self, name: str, sources: int) -> Block:
        """Return where a step writes what follows a tensor."""
        ...

    def write(
        self, slots: Sequence[int], outputs: Mapping[str, Block], sources: Sequence[int]
    ) -> None:
        """Start each of the slots from one of the sources that the encoder returned."""

    def move(self, moves: Sequence[tuple[int, int]], filled: Filled) -> int:
        """Copy slots onto others, as far as they are filled; return the bytes copied.

        Args:
            moves: Each slot and where it goes; no slot is both.
            filled: How far slots are filled.
        """
        ...

    def copy_rows(self, sources: Ints, targets: Ints, lengths: Lengths) -> int:
        """Copy rows of hypotheses onto others; return the bytes copied.

        Args:
            sources: The rows, (m,); none of them is a target.
            targets: Where they go, (m,).
            lengths: How far each is filled, (m,).
        """
        ...

    def resize(self, kind: StateKind, extent: int, filled: Mapping[int, int]) -> int:
        """Change the extent of one kind; return the bytes copied.

        Args:
            kind: Of the tensors.
            extent: The new one.
            filled: The slots to keep, and how far each is filled.
        """
        ...

    def advance(self, sources: int) -> None:
        """Take what the step wrote for what the next step reads."""


class HostStorage:
    """State in pools of host memory, which grow and shrink with those who are there.

    Args:
        tensors: The declared state.
        width: Beam width W.
        max_sources: The most sources there will be.
    """

    is_elastic = True
    side = 0

    def __init__(self, tensors: Sequence[StateTensor], *, width: int, max_sources: int) -> None:
        self._width = width
        self._pools: list[Pool] = []
        self._pool_of: dict[str, Pool] = {}
        for _, group in groupby(sorted(tensors, key=_likeness), key=_likeness):
            alike = list(group)
            rows = 1 if alike[0].kind is StateKind.MEMORY else width
            self._pools.append(Pool(alike, rows_per_slot=rows, slots=max_sources))
            self._pool_of.update((tensor.name, self._pools[-1]) for tensor in alike)
        self._of_hypotheses = [pool for pool in self._pools if pool.kind is not StateKind.MEMORY]
        self._successors = {
            tensor.name: np.empty_like(self._pool_of[tensor.name].view(tensor.name, max_sources))
            for tensor in tensors
            if tensor.kind is StateKind.RECURRENT
        }

    @property
    def nbytes(self) -> int:
        """See `Storage.nbytes`."""
        successors = sum(tensor.nbytes for tensor in self._successors.values())
        return successors + sum(pool.nbytes for pool in self._pools)

    def extent(self, kind: StateKind) -> int:
        """See `Storage.extent`."""
        return max((pool.extent for pool in self._pools if pool.kind is kind), default=0)

    def view(self, name: str, sources: int) -> Floats:
        """See `Storage.view`."""
        return self._pool_of[name].view(name, sources)

    def successor(self, name: str, sources: int) -> Floats:
        """See `Storage.successor`; a cache is continued in place."""
        if name in self._successors:
            return self._successors[name][: sources * self._width]
        return self.view(name, sources)

    def write(
        self, slots: Sequence[int], outputs: Mapping[str, Floats], sources: Sequence[int]
    ) -> None:
        """See `Storage.write`."""
        for slot, source in zip(slots, sources, strict=True):
            for pool in self._pools:
                pool.write(slot, outputs, source)

    def move(self, moves: Sequence[tuple[int, int]], filled: Filled) -> int:
        """See `Storage.move`."""
        return sum(
            pool.move(source, target, filled(source, pool.kind))
            for source, target in moves
            for pool in self._pools
        )

    def copy_rows(self, sources: Ints, targets: Ints, lengths: Lengths) -> int:
        """See `Storage.copy_rows`."""
        return sum(
            pool.copy_row(source, target, length)
            for source, target, length in zip(
                sources.tolist(), targets.tolist(), lengths.tolist(), strict=True
            )
            for pool in self._of_hypotheses
        )

    def resize(self, kind: StateKind, extent: int, filled: Mapping[int, int]) -> int:
        """See `Storage.resize`."""
        return sum(pool.resize(extent, filled) for pool in self._pools if pool.kind is kind)

    def advance(self, sources: int) -> None:
        """See `Storage.advance`."""
        for name in self._successors:
            self.view(name, sources)[...] = self.successor(name, sources)


def _likeness(tensor: StateTensor) -> tuple[str, ...]:
    """Return what tensors of one pool have in common."""
    axis, padding = str(tensor.length_axis), str(tensor.padding)
    return (tensor.kind, tensor.dtype, str(tensor.shape), axis, padding)
