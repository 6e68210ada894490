"""The training text on the disk: the pairs of all parts that the filters let through, mapped."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from ferryman_training.cache import Cache
from ferryman_training.corpus import SentencePair, blank_side, stream_pairs
from ferryman_training.corpus_config import CorpusPart, FilterConfig
from ferryman_training.duplicates import repeated, text_hash
from ferryman_training.errors import CorpusError
from ferryman_training.filters import DropReport, Fault, find_fault
from ferryman_training.mapped import ArrayWriter, mapped

_FORMAT: Final = 1
_TEXT, _ENDS, _LINES, _KEPT, _SUMMARY, _HASHES = (
    "text.utf8",
    "ends.int64",
    "lines.int64",
    "kept.bool",
    "summary.json",
    "hashes.uint64",
)
_BLOCK: Final = 1 << 16
"""Rows whose marks are looked at together."""


@dataclass(frozen=True, slots=True)
class TextStore:
    """Pairs by row. Rows of duplicates are there, and marked as not kept."""

    name: str
    """Of the cache entry; it stands for corpus and filters."""
    text: npt.NDArray[np.uint8]
    """Source and target of row 0, of row 1 and so on, in UTF-8."""
    ends: npt.NDArray[np.int64]
    """Where each text begins and the last one ends, (2 rows + 1)."""
    lines: npt.NDArray[np.int64]
    """Number of each row's line in its file, from 1, (rows)."""
    kept: npt.NDArray[np.bool_]
    """(rows)"""
    part_ends: tuple[int, ...]
    """The row after the last one of each part."""
    report: DropReport

    def __len__(self) -> int:
        return len(self.lines)

    def pair(self, row: int) -> SentencePair:
        """Return the pair of a row."""
        start, middle, end = self.ends[2 * row : 2 * row + 3].tolist()
        return SentencePair(
            self.text[start:middle].tobytes().decode(), self.text[middle:end].tobytes().decode()
        )

    def part(self, row: int) -> int:
        """Return which part a row is from."""
        return bisect_right(self.part_ends, row)

    def kept_rows(self) -> Iterator[int]:
        """Yield the rows that are kept, in their order."""
        for start in range(0, len(self), _BLOCK):
            yield from (np.flatnonzero(self.kept[start : start + _BLOCK]) + start).tolist()

    def sentences(self) -> Iterator[str]:
        """Yield source and target of every pair that is kept."""
        for row in self.kept_rows():
            pair = self.pair(row)
            yield pair.source
            yield pair.target

    @staticmethod
    def obtain(
        cache: Cache, parts: Sequence[CorpusPart], filters: FilterConfig, *, digest: str
    ) -> TextStore:
        """Return the store of a corpus; make it if the cache has none.

        Args:
            cache: Where it is kept.
            parts: Of the corpus.
            filters: Which pairs to leave out.
            digest: Of the corpus; see `corpus.digest`.

        Raises:
            CorpusError: The corpus cannot be read, has a line that is no pair, or has no pair
                left; or the cache cannot be written.
        """
        key = {"format": _FORMAT, "corpus": digest, "filters": filters.model_dump(mode="json")}
        entry = cache.obtain("text", key, lambda folder: _build(folder, parts, filters))
        summary = json.loads((entry / _SUMMARY).read_text("utf-8"))
        return _open(entry, summary["part_ends"], DropReport.from_document(summary))


def _build(folder: Path, parts: Sequence[CorpusPart], filters: FilterConfig) -> None:
    """Write the pairs of a corpus that the filters let through."""
    report = DropReport()
    part_ends = _write_rows(folder, parts, filters, report)
    kept = np.ones(part_ends[-1], dtype=np.bool_)
    if filters.duplicates != "keep":
        kept[repeated(mapped(folder / _HASHES, np.uint64))] = False
        (folder / _HASHES).unlink()
    (folder / _KEPT).write_bytes(kept.tobytes())
    rows = np.flatnonzero(~kept)
    if len(rows):
        store = _open(folder, part_ends, report)
        first = int(rows[0])
        line = int(store.lines[first])
        report.drop(Fault.DUPLICATE, store.pair(first), part=store.part(first), line=line)
        report.dropped[Fault.DUPLICATE] = len(rows)
    if len(rows) == len(kept):
        raise CorpusError(f"corpus.filters: no pair is left of {report.read:,}: {report.counts()}")
    document = {**report.as_document(), "part_ends": part_ends}
    (folder / _SUMMARY).write_text(json.dumps(document, indent=2) + "\n", "utf-8")


def _open(folder: Path, part_ends: Sequence[int], report: DropReport) -> TextStore:
    return TextStore(
        name=folder.name,
        text=mapped(folder / _TEXT, np.uint8),
        ends=mapped(folder / _ENDS, np.int64),
        lines=mapped(folder / _LINES, np.int64),
        kept=mapped(folder / _KEPT, np.bool_),
        part_ends=tuple(part_ends),
        report=report,
    )


def _write_rows(
    folder: Path, parts: Sequence[CorpusPart], filters: FilterConfig, report: DropReport
) -> list[int]:
    """Write text, ends, lines and, where they are needed, hashes; return the parts' ends."""
    rows, end, part_ends = 0, 0, []
    with ExitStack() as stack:
        text = stack.enter_context((folder / _TEXT).open("wb"))
        ends = stack.enter_context(ArrayWriter(folder / _ENDS, np.int64))
        lines = stack.enter_context(ArrayWriter(folder / _LINES, np.int64))
        hashes = None
        if filters.duplicates != "keep":
            hashes = stack.enter_context(ArrayWriter(folder / _HASHES, np.uint64))
        ends.append(0)
        for index, part in enumerate(parts):
            number = 0
            for number, pair in enumerate(stream_pairs(part), start=1):
                if not filters.blank and pair.has_blank_side:
                    raise blank_side(pair, part.where(number))
                fault = find_fault(pair, filters)
                if fault is not None:
                    report.drop(fault, pair, part=index, line=number)
                    continue
                source, target = pair.source.encode(), pair.target.encode()
                text.write(source + target)
                ends.extend((end + len(source), end + len(source) + len(target)))
                end += len(source) + len(target)
                lines.append(number)
                rows += 1
                if hashes is not None:
                    hashes.append(text_hash(*_compared(pair, filters)))
            if not number:
                raise CorpusError(f"{part}: is empty; it must have one sentence pair a line")
            report.read += number
            part_ends.append(rows)
    return part_ends


def _compared(pair: SentencePair, filters: FilterConfig) -> tuple[str, ...]:
    """Return what must not come twice."""
    match filters.duplicates:
        case "sources":
            return (pair.source,)
        case "targets":
            return (pair.target,)
        case _:
            return (pair.source, pair.target)
