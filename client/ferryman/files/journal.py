"""The journal of a run: what is done, so that the same command goes on where a process was ended.

Beside ``OUT`` there are, while it is made, ``OUT.ferryman-part`` with the rendered units in order,
and ``OUT.ferryman-journal`` with a line for each chunk that is done. The part is written first, the
line after it. Nothing is believed that does not have the digest in its line: after a kill the last
line may be torn or missing, after a power failure either file may have lost any end of it. What is
not believed is cut off, and done again.
"""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from ferryman.files.chunks import UnitChunk, digest_of
from ferryman.files.durability import beside, locked, remove, replace, write_all, writing
from ferryman.files.errors import OtherRunError
from ferryman.files.records import (
    DONE,
    Record,
    Rendered,
    header_of,
    identity_of,
    lines_with_ends,
)
from ferryman.files.units import Format

PART, JOURNAL, ASSEMBLED = ".ferryman-part", ".ferryman-journal", ".ferryman-assembled"
FAILURES = ".failures.jsonl"
"""What is appended to the output's name to name the side file."""

_SYNC_SECONDS = 1.0
"""Most work that a power failure may cost; a kill costs none that is recorded."""


class Journal:
    """Use it as a context manager: inside, this process alone writes the output.

    Args:
        output: File to make.
        identity: All that the output depends on besides the input.
        restart: Begin anew whatever is left of an earlier run.

    Raises:
        OutputBusyError: On entering: another process writes the output.
        OtherRunError: On entering: an earlier run of another identity is not finished.
        OutputFileError: From every method: the disk is full, or the like.
    """

    def __init__(self, output: Path, identity: Mapping[str, str], *, restart: bool = False) -> None:
        self.output = output
        self.frontier = 0
        """Chunks whose output is in the part file: all before it are."""
        self.units = 0
        """Units of those chunks."""
        self.failed = 0
        """Units of those chunks that have no translation."""
        self.done = False
        """Whether all chunks are."""
        self.published = False
        """Whether the output is in its place, too."""
        self.replayed: dict[int, Record] = {}
        """Chunks that an earlier process has done before their turn: commit them again."""
        self._early: dict[int, Record] = {}
        self._identity = dict(identity)
        self._restart = restart
        self._path, self._part_path = beside(output, JOURNAL), beside(output, PART)
        self._part: int | None = None
        self._size = 0
        self._synced = time.monotonic()

    def __enter__(self) -> Self:
        self._lines = locked(self._path)
        try:
            with writing(self._path):
                if self._restart or not self._is_ours():
                    self._begin()
        except BaseException:
            os.close(self._lines)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._part is not None:
            os.close(self._part)
        os.close(self._lines)

    def replay(self, chunks: Iterator[UnitChunk], on_done: Callable[[UnitChunk], None]) -> None:
        """Take from the chunks those that are done, and cut off what cannot be believed.

        Args:
            chunks: All chunks of the input.
            on_done: Is told of those that are taken.

        Raises:
            OtherRunError: The input is not the one that the run began with.
        """
        with writing(self._part_path):
            self.published = self._is_published()
            if not self.published:
                self._part = os.open(self._part_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        end = 0
        for line, after in lines_with_ends(self._path):
            if end and line == DONE:
                self.done, end = True, after
                break
            if end and not self._believes(Record.parse(line), chunks, on_done):
                break
            end = after
        with writing(self._path):
            _cut(self._lines, end)
            if self._part is not None:
                _cut(self._part, self._size)
        self.replayed = {n: each for n, each in self.replayed.items() if n >= self.frontier}

    def commit(self, chunk: UnitChunk, rendered: Rendered) -> None:
        """Record a chunk, in its turn or before it."""
        early = chunk.number != self.frontier
        record = Record.of(chunk, rendered, early=early)
        if early:
            with writing(self._path, self._kept):
                write_all(self._lines, record.line())
            self._early[chunk.number] = record
        else:
            self._append(record, rendered.output)
            while waiting := self._early.pop(self.frontier, None):
                self._append(dataclasses.replace(waiting, early=None), waiting.output)
        if time.monotonic() - self._synced > _SYNC_SECONDS:
            self._sync()

    def finish(self, format_: Format, source: Path) -> None:
        """Put the output in its place, all chunks being in the part file, and clear up."""
        if not self.done:
            with writing(self._path, self._kept):
                write_all(self._lines, DONE)
            self.done = True
        if not self.published:
            self._sync()
            with writing(self.output, self._kept):
                self._publish(format_, source)
        with writing(self._path):
            remove(self._part_path)
            remove(self._path)

    def _publish(self, format_: Format, source: Path) -> None:
        self._write_failures(format_.noun)
        if format_.is_assembled(self.output):
            replace(self._part_path, self.output)
        else:
            assembled = beside(self.output, ASSEMBLED)
            format_.assemble(source, self._part_path, assembled, packed=self.output.suffix)
            replace(assembled, self.output)

    def _write_failures(self, noun: str) -> None:
        side, unfinished = beside(self.output, FAILURES), beside(self.output, ASSEMBLED)
        if not self.failed:
            remove(side)
            return
        with unfinished.open("wb") as file:
            before = 0
            for line, _ in lines_with_ends(self._path):
                record = Record.parse(line)
                if record is None or record.early is not None:
                    continue
                for failure in record.failures:
                    file.write(failure.line(noun, before))
                before += record.units
        replace(unfinished, side)

    def _append(self, record: Record, output: bytes) -> None:
        """Write a chunk whose turn it is: its output first, its record then."""
        assert self._part is not None
        with writing(self._part_path, self._kept):
            write_all(self._part, output)
            write_all(self._lines, record.line())
        self._count(record)

    def _count(self, record: Record) -> None:
        self.frontier += 1
        self.units += record.units
        self.failed += len(record.failures)
        self._size += record.size

    def _believes(
        self,
        record: Record | None,
        chunks: Iterator[UnitChunk],
        on_done: Callable[[UnitChunk], None],
    ) -> bool:
        """Tell whether what a record says is on the disk; if so, take its chunk from the input."""
        if record is None:
            return False
        if record.early is not None:
            self.replayed[record.chunk] = record
            return digest_of([record.output]) == record.digest
        if record.chunk != self.frontier or not self._is_in_part(record):
            return False
        chunk = check_source(next(chunks, None), record, self.output)
        self._count(record)
        on_done(chunk)
        return True

    def _is_in_part(self, record: Record) -> bool:
        if self._part is None:
            return True
        return digest_of([os.pread(self._part, record.size, self._size)]) == record.digest

    def _is_published(self) -> bool:
        """Tell whether the output has its name already, and only the clearing up was missed."""
        if self._part_path.exists() or not self.output.exists():
            return False
        return any(line == DONE for line, _ in lines_with_ends(self._path))

    def _is_ours(self) -> bool:
        """Tell whether there is a run to go on with.

        Raises:
            OtherRunError: There is one, but of another identity.
        """
        header = next((line for line, _ in lines_with_ends(self._path)), None)
        if header is None:
            return False
        mine = self._identity
        found = identity_of(header) or {"journal": "of another version, or damaged"}
        differences = [
            f"{name} was {found.get(name, 'not set')}, and is {mine.get(name, 'not set')}"
            for name in sorted({*found, *mine})
            if found.get(name) != mine.get(name)
        ]
        if differences:
            raise OtherRunError(
                f"{self._path} is of a run that is not finished, and differs: "
                f"{'; '.join(differences)}. Run that command again, or begin anew with --restart"
            )
        return True

    def _begin(self) -> None:
        os.ftruncate(self._lines, 0)
        remove(self._part_path)
        os.lseek(self._lines, 0, os.SEEK_SET)
        write_all(self._lines, header_of(self._identity))

    def _sync(self) -> None:
        with writing(self._part_path, self._kept):
            if self._part is not None:
                os.fsync(self._part)
            os.fsync(self._lines)
        self._synced = time.monotonic()

    @property
    def _kept(self) -> str:
        return f"{self.units:,} units are done and kept: make room and run the same command again"


def check_source(chunk: UnitChunk | None, record: Record, output: Path) -> UnitChunk:
    """Return the chunk of the input that a record was made of.

    Raises:
        OtherRunError: The input has something else there.
    """
    if chunk is None or chunk.digest != record.source:
        raise OtherRunError(
            f"the input is not the one that the unfinished {output} was begun with: restore it, "
            "or begin anew with --restart"
        )
    return chunk


def _cut(descriptor: int, size: int) -> None:
    os.ftruncate(descriptor, size)
    os.lseek(descriptor, size, os.SEEK_SET)
