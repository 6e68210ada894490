"""Decoding a file: chunks go out within a window, come back in any order, and are journalled."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from ferryman.errors import FerrymanError
from ferryman.files.chunks import ChunkSize, UnitChunk, chunks_of
from ferryman.files.isolation import Outcome, Translate, translate_isolating
from ferryman.files.journal import Journal, check_source
from ferryman.files.records import Failure, Rendered
from ferryman.files.units import Format, Unit
from ferryman.results import Translation


@dataclass(frozen=True, slots=True)
class Step:
    """A chunk that is done, for whoever watches."""

    units: int
    bytes: int
    """Of the input, decompressed."""
    tokens: int
    """That were generated now; 0 for what an earlier run has done."""
    failed: int
    """Units that have no translation."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What became of a file."""

    units: int
    """Units of the input."""
    failed: int
    """Those that have no translation: the side file says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileTask:
    """A file to translate."""

    source: Path
    output: Path
    format: Format
    identity: Mapping[str, str]
    """Model, search and all else that the output depends on besides the input and its format."""
    restart: bool = False
    """Begin anew whatever is left of an earlier run."""
    chunk_size: ChunkSize = field(default_factory=ChunkSize)

    @property
    def whole_identity(self) -> dict[str, str]:
        """All that the output depends on besides the input."""
        size = self.chunk_size
        return {
            **self.identity,
            "format": self.format.name,
            **self.format.settings,
            "chunks": f"{size.texts} texts, {size.bytes} bytes, {size.units} units",
        }


async def decode_file(
    task: FileTask, translate: Translate, *, window: int, on_step: Callable[[Step], None]
) -> Summary:
    """Translate a file, or go on where an earlier process was ended.

    Args:
        task: What to do.
        translate: Translates the texts of a chunk. Many calls of it run at the same time.
        window: Chunks that are on the way at the same time. Twice as many are in memory at most.
        on_step: Is told of each chunk that is done.

    Raises:
        FileError: The input cannot be read, or the output not be written.
        FerrymanError: No server translates now. What is done is kept.
    """
    with (
        Journal(task.output, task.whole_identity, restart=task.restart) as journal,
        closing(task.format.units(task.source)) as units,
    ):
        chunks = chunks_of(units, task.chunk_size)
        journal.replay(chunks, lambda done: on_step(Step(len(done.units), done.bytes, 0, 0)))
        if not journal.done:
            await _Window(journal, translate, window, on_step).run(chunks)
        journal.finish(task.format, task.source)
        return Summary(journal.units, journal.failed)


class _Window:
    """The chunks that are on the way."""

    def __init__(
        self, journal: Journal, translate: Translate, size: int, on_step: Callable[[Step], None]
    ) -> None:
        self._journal = journal
        self._translate = translate
        self._size = size
        self._on_step = on_step
        self._under_way: dict[asyncio.Task[Rendered], UnitChunk] = {}

    async def run(self, chunks: Iterator[UnitChunk]) -> None:
        """Translate and journal all chunks; whatever ends this early cancels what is on the way."""
        try:
            for chunk in chunks:
                if (record := self._journal.replayed.pop(chunk.number, None)) is not None:
                    check_source(chunk, record, self._journal.output)
                    self._commit(chunk, Rendered(record.output, record.failures))
                    continue
                while self._is_full(chunk):
                    await self._journal_some()
                task = asyncio.create_task(_rendered(chunk, self._translate))
                self._under_way[task] = chunk
            while self._under_way:
                await self._journal_some()
        finally:
            for task in self._under_way:
                task.cancel()
            await asyncio.gather(*self._under_way, return_exceptions=True)

    def _is_full(self, chunk: UnitChunk) -> bool:
        """Tell whether a chunk must wait: the window is full, or too far ahead of what is slow."""
        if not self._under_way:
            return False
        ahead = chunk.number - self._journal.frontier
        return len(self._under_way) >= self._size or ahead >= 2 * self._size

    async def _journal_some(self) -> None:
        """Wait for a chunk, and journal all that are done.

        Raises:
            FerrymanError: A chunk failed; those that are done are journalled even so.
        """
        done, _ = await asyncio.wait(self._under_way, return_when=asyncio.FIRST_COMPLETED)
        failures = []
        for task in sorted(done, key=lambda task: self._under_way[task].number):
            chunk = self._under_way.pop(task)
            if (failure := task.exception()) is not None:
                failures.append(failure)
                continue
            self._commit(chunk, task.result())
        if failures:
            raise failures[0]

    def _commit(self, chunk: UnitChunk, rendered: Rendered) -> None:
        self._journal.commit(chunk, rendered)
        failed = len(rendered.failures)
        self._on_step(Step(len(chunk.units), chunk.bytes, rendered.tokens, failed))


async def _rendered(chunk: UnitChunk, translate: Translate) -> Rendered:
    """Translate a chunk."""
    outcomes = iter(await translate_isolating(translate, chunk.texts))
    output, failures, tokens = bytearray(), list[Failure](), 0
    for number, unit in enumerate(chunk.units, 1):
        outcome = next(outcomes) if unit.sent else None
        if isinstance(outcome, Translation):
            output += unit.render(outcome.text)
            tokens += outcome.best.token_count
        else:
            failure = _failure(number, unit, outcome)
            output += unit.render(None if failure else unit.text)
            failures += [failure] if failure else []
    return Rendered(bytes(output), tuple(failures), tokens)


def _failure(number: int, unit: Unit, outcome: Outcome | None) -> Failure | None:
    """Return why a unit has no translation; None where it needs none."""
    if isinstance(outcome, FerrymanError):
        return Failure(number, outcome.status, outcome.reason, outcome.message, unit.text)
    if unit.fault is not None:
        return Failure(number, "INVALID_ARGUMENT", unit.fault.reason, unit.fault.message, None)
    return None
