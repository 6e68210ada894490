"""Chunks: the units that travel, and are journalled, together."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from ferryman.files.units import Unit

_DIGEST_BYTES = 16


def digest_of(parts: Iterable[bytes]) -> str:
    """Return what tells bytes from others."""
    digest = hashlib.blake2b(digest_size=_DIGEST_BYTES)
    for part in parts:
        digest.update(part)
    return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class ChunkSize:
    """How much one chunk holds. Part of what a run is known by: a journal counts chunks."""

    texts: int = 64
    """Texts to translate."""
    bytes: int = 32 * 1024
    """Bytes of the units; one that is larger is a chunk of its own."""
    units: int = 4096
    """Units, the blank ones among them."""


@dataclass(frozen=True)
class UnitChunk:
    """Some units of a file, one after the other."""

    number: int
    """Chunks before this one."""
    start: int
    """Units before the first of this one."""
    units: tuple[Unit, ...]
    """The units; at least one."""

    @cached_property
    def digest(self) -> str:
        """What tells the input of this chunk from other input."""
        return digest_of(unit.raw for unit in self.units)

    @property
    def texts(self) -> list[str]:
        """What a server is asked about."""
        return [unit.text for unit in self.units if unit.sent and unit.text is not None]

    @property
    def bytes(self) -> int:
        """Bytes of the input."""
        return sum(len(unit.raw) for unit in self.units)


def chunks_of(units: Iterable[Unit], size: ChunkSize) -> Iterator[UnitChunk]:
    """Divide units into chunks: the same for the same units, whatever became of an earlier run."""
    number = start = texts = length = 0
    held: list[Unit] = []
    for unit in units:
        full = texts + unit.sent > size.texts or length + len(unit.raw) > size.bytes
        if held and (full or len(held) == size.units):
            yield UnitChunk(number, start, tuple(held))
            number, start, texts, length = number + 1, start + len(held), 0, 0
            held = []
        held.append(unit)
        texts += unit.sent
        length += len(unit.raw)
    if held:
        yield UnitChunk(number, start, tuple(held))
