"""The state of one running batch: what the manifest declares, in a pool of slots.

A slot holds one source and its W hypotheses. The first ``sources`` slots are taken, without gaps
whenever the decoder steps, so that the step graph reads plain prefixes of the buffers and never
computes a dead row. The specification of all of it is the pure pair ``gather(slots)`` and
``concatenate(others)``, which the tests compare it with.

Dimension key:
    n: sources    W: beam width    R: rows, n * W; row r belongs to the source in slot r // W
    S: source length    C: capacity, the tokens a cache has room for
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from ferryman_bundle import StateKind, StateTensor
from ferryman_server.engine.search import Ints, Lengths
from ferryman_server.engine.storage import Block, HostStorage, Storage

SOURCE_STEP: Final = 8
"""Source lengths are multiples of this: other lengths change the rounding of attention."""
CAPACITY: Final = 64
"""Tokens that caches have room for at first; doubled as needed."""


class DecodeState:
    """Named tensors of a running batch: which slot and how far filled; a storage has the memory.

    Args:
        tensors: The declared state.
        width: Beam width W of every source in this batch.
        max_sources: The most sources there will be.
        storage: Where the tensors are; None for host memory.

    Attributes:
        sources: Slots in use, n, gaps among them included.
        lengths: Tokens that each hypothesis has so far, int32 (max_sources, W); those of one source
            have equally many.
        bytes_copied: Bytes moved to reorder beams, to close gaps and to change buffers.
        revision: Counts the changes of buffers; views taken before one show nothing any more.
    """

    def __init__(
        self,
        tensors: Sequence[StateTensor],
        *,
        width: int,
        max_sources: int,
        storage: Storage | None = None,
    ) -> None:
        self.width = width
        self.max_sources = max_sources
        self.sources = 0
        self.lengths: Lengths = np.zeros((max_sources, width), np.int32)
        self._longest: int | None = 0
        self.bytes_copied = 0
        self.revision = 0
        self._gaps: set[int] = set()
        self._source_lengths = [0] * max_sources
        self._storage = storage or HostStorage(tensors, width=width, max_sources=max_sources)
        self._names = [tensor.name for tensor in tensors]
        self._memory_axes = {t.name: t.length_axis for t in tensors if t.kind is StateKind.MEMORY}
        self._has_caches = any(tensor.kind is StateKind.CACHE for tensor in tensors)

    @property
    def source_length(self) -> int:
        """S: the padded length of every source in the memory."""
        return self._storage.extent(StateKind.MEMORY)

    @property
    def capacity(self) -> int:
        """C: the tokens that every cache has room for."""
        return self._storage.extent(StateKind.CACHE)

    @property
    def has_gaps(self) -> bool:
        """Whether there are slots of sources that have left."""
        return bool(self._gaps)

    @property
    def longest(self) -> int:
        """The most tokens that a hypothesis has so far."""
        if self._longest is None:
            self._longest = max((int(self.lengths[slot, 0]) for slot in self._taken()), default=0)
        return self._longest

    @property
    def nbytes(self) -> int:
        """The memory of all tensors, in bytes, whether anybody uses it now or not."""
        return self._storage.nbytes

    @property
    def side(self) -> int:
        """Which of its two places the storage reads recurrent tensors from, 0 or 1."""
        return self._storage.side

    def view(self, name: str) -> Block:
        """Return a tensor of the slots in use, (n or R, ...), without a copy."""
        return self._storage.view(name, self.sources)

    def successor(self, name: str) -> Block:
        """Return where a step writes what follows a tensor; a cache is continued in place."""
        return self._storage.successor(name, self.sources)

    def admit(
        self, outputs: Mapping[str, Block], sources: Sequence[int] | None = None
    ) -> list[int]:
        """Give sources of an encoded chunk a slot each, gaps first.

        Args:
            outputs: What the encoder returned, by name of the state tensor, each (B, ...): all of
                the memory, whose source length is a multiple of `SOURCE_STEP`, and the recurrent
                tensors that do not start as padding. A model without attention has no memory.
            sources: Which of the B, at least one; None for all.

        Returns:
            The slot of each of them.
        """
        encoded, length = self._chunk_shape(outputs)
        sources = range(encoded) if sources is None else sources
        count = len(sources)
        if count > self.max_sources - self.sources + len(self._gaps):
            raise ValueError(f"no room for {count} more sources")
        self._fit_source_length(length)
        slots = sorted(self._gaps)[:count]
        self._gaps.difference_update(slots)
        slots += range(self.sources, self.sources + count - len(slots))
        self.sources = max(self.sources, slots[-1] + 1)
        for slot in slots:
            self.lengths[slot] = 0
            self._source_lengths[slot] = length
        self._storage.write(slots, outputs, sources)
        return slots

    def release(self, slots: Iterable[int]) -> None:
        """Give up the slots of sources that are done; they are gaps until filled or closed."""
        self._gaps.update(slots)
        self._longest = None

    def compact(self) -> list[tuple[int, int]]:
        """Close the gaps by moving the last sources into them.

        Returns:
            Each move, as the slot a source was in and the one it is in now.
        """
        moves = []
        for gap in sorted(self._gaps):
            while self.sources - 1 in self._gaps:
                self._gaps.remove(self.sources - 1)
                self.sources -= 1
            if gap >= self.sources:
                break
            self.sources -= 1
            self._gaps.remove(gap)
            moves.append((self.sources, gap))
        if moves:
            self.bytes_copied += self._storage.move(moves, self._filled)
            for source, target in moves:
                self.lengths[target] = self.lengths[source]
                self._source_lengths[target] = self._source_lengths[source]
        return moves

    def reserve(self) -> None:
        """Make room in the caches for one more token of every row."""
        needed = self.longest + 1
        if self._has_caches and needed > self.capacity:
            assert self._storage.is_elastic, "a storage of fixed size has room for the longest"
            self._resize(StateKind.CACHE, max(CAPACITY, 1 << (needed - 1).bit_length()))

    def advance(self) -> None:
        """Take what the step wrote for the state that the next step reads."""
        self._longest = self.longest + 1
        self.lengths[: self.sources] += 1
        self._storage.advance(self.sources)

    def reorder(self, parents: Ints) -> Ints:
        """Let every hypothesis have the state of its parent.

        Most stay where their parent was, and nothing is copied; only where several have one
        parent, all but the first are copied, into rows that nobody continues.

        Args:
            parents: For every hypothesis the row, within its slot, of its parent, (n, W).

        Returns:
            The row, within its slot, that every hypothesis has now, (n, W).
        """
        if self.width == 1:
            return parents
        rows, copied = settle(parents)
        slots, ranks = np.nonzero(copied)
        if len(slots):
            self.bytes_copied += self._storage.copy_rows(
                slots * self.width + parents[slots, ranks],
                slots * self.width + rows[slots, ranks],
                self.lengths[slots, 0],
            )
        return rows

    def _chunk_shape(self, outputs: Mapping[str, Block]) -> tuple[int, int]:
        """Return the number of sources of a chunk and their padded length."""
        axes = self._memory_axes
        lengths = {outputs[name].shape[axis] for name, axis in axes.items() if axis is not None}
        counts = {outputs[name].shape[0] for name in self._names if name in outputs}
        if len(counts) != 1 or len(lengths) > 1:
            raise ValueError(f"the encoder's outputs disagree: sources {counts}, lengths {lengths}")
        length = lengths.pop() if lengths else 0
        if length % SOURCE_STEP:
            raise ValueError(f"the source length {length} is no multiple of {SOURCE_STEP}")
        return counts.pop(), length

    def _fit_source_length(self, length: int) -> None:
        """Choose S for the sources at hand and one of this length, and C if nobody is at hand."""
        if not self._storage.is_elastic:
            if length > self.source_length and self._memory_axes:
                raise ValueError(f"the source length {length} is over {self.source_length}")
            return
        longest = max((self._source_lengths[slot] for slot in self._taken()), default=0)
        needed, now = _bucket(max(longest, length)), self.source_length
        if needed > now or 2 * needed <= now != needed:
            self._resize(StateKind.MEMORY, needed)
        if len(self._gaps) == self.sources and self.capacity > CAPACITY:
            self._resize(StateKind.CACHE, CAPACITY)

    def _resize(self, kind: StateKind, extent: int) -> None:
        filled = {slot: self._filled(slot, kind) for slot in self._taken()}
        self.revision += 1
        self.bytes_copied += self._storage.resize(kind, extent, filled)

    def _taken(self) -> list[int]:
        return [slot for slot in range(self.sources) if slot not in self._gaps]

    def _filled(self, slot: int, kind: StateKind) -> int:
        """Return how far a slot's rows are filled."""
        if kind is StateKind.MEMORY:
            return self._source_lengths[slot]
        return int(self.lengths[slot, 0])


def settle(parents: Ints) -> tuple[Ints, npt.NDArray[np.bool_]]:
    """Choose a row for every hypothesis such that as few as can be have to be copied.

    The first hypothesis of each parent stays in its parent's row. The others of the same parent
    get the rows that nobody continues, in order.

    Args:
        parents: For every hypothesis the row, within its slot, of its parent, (n, W).

    Returns:
        The row of every hypothesis, and whether it must be copied there, both (n, W).

    >>> rows, copied = settle(np.array([[2, 2, 0], [0, 1, 2]]))
    >>> rows.tolist(), copied.tolist()
    ([[2, 1, 0], [0, 1, 2]], [[False, True, False], [False, False, False]])
    """
    same_parent = parents[:, :, None] == parents[:, None, :]  # (n, W, W)
    earlier = np.tri(parents.shape[1], k=-1, dtype=np.bool_)  # (W, W)
    copied = (same_parent & earlier).any(axis=2)
    if not copied.any():
        return parents, copied
    free = np.ones(parents.shape, np.bool_)
    free[np.arange(len(parents))[:, None], parents] = False
    rows = parents.copy()
    # As many rows of a source are free as have to be copied, so the two run in step.
    rows[copied] = np.nonzero(free)[1]
    return rows, copied


def _bucket(length: int) -> int:
    """Round a source length up so that few lengths occur, and at most a quarter is padding."""
    step = max(SOURCE_STEP, (1 << length.bit_length()) // 8)
    return -(-length // step) * step
