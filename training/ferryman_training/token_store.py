"""The training corpus as token ids, on the disk, mapped: what an epoch is made of."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, overload

import numpy as np
import numpy.typing as npt
import sentencepiece

from ferryman_bundle.tokenizer import Tokenizer
from ferryman_training.batching import TokenPair, tokenize
from ferryman_training.cache import Cache
from ferryman_training.errors import CorpusError
from ferryman_training.filters import DropReport, Fault
from ferryman_training.mapped import ArrayWriter, mapped
from ferryman_training.text_store import TextStore

_FORMAT: Final = 1
_IDS, _STARTS, _SOURCE_LENGTHS, _TARGET_LENGTHS, _ROWS, _SUMMARY = (
    "ids",
    "starts.int64",
    "source_lengths.uint16",
    "target_lengths.uint16",
    "rows.int64",
    "summary.json",
)


@dataclass(frozen=True, slots=True)
class TokenStore(Sequence[TokenPair]):
    """Pairs of token ids by index; N of them."""

    ids: npt.NDArray[np.unsignedinteger[Any]]
    """Source and target of pair 0, of pair 1 and so on."""
    starts: npt.NDArray[np.int64]
    """Where the ids of each pair begin and those of the last one end, (N + 1)."""
    source_lengths: npt.NDArray[np.uint16]
    """Tokens of each source, (N)."""
    target_lengths: npt.NDArray[np.uint16]
    """Tokens of each target, (N)."""
    rows: npt.NDArray[np.int64]
    """Row of each pair in the text store, (N)."""
    part_ends: tuple[int, ...]
    """The pair after the last one of each part."""
    report: DropReport

    def __len__(self) -> int:
        return len(self.source_lengths)

    @overload
    def __getitem__(self, index: int) -> TokenPair: ...
    @overload
    def __getitem__(self, index: slice) -> list[TokenPair]: ...
    def __getitem__(self, index: int | slice) -> TokenPair | list[TokenPair]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        index %= len(self)
        ids = self.ids[self.starts[index] : self.starts[index + 1]].tolist()
        middle = int(self.source_lengths[index])
        return TokenPair(tuple(ids[:middle]), tuple(ids[middle:]))

    def __iter__(self) -> Iterator[TokenPair]:
        return (self[i] for i in range(len(self)))

    @staticmethod
    def obtain(
        cache: Cache, texts: TextStore, tokenizer: Tokenizer, *, max_tokens: int
    ) -> TokenStore:
        """Return the store of a text in the pieces of a tokenizer; make it if the cache has none.

        Args:
            cache: Where it is kept.
            texts: What to tokenize.
            tokenizer: Cuts the text into pieces.
            max_tokens: Pairs with a longer side are left out.

        Raises:
            CorpusError: No pair is left; or the cache cannot be written.
        """
        key = {
            "format": _FORMAT,
            "text": texts.name,
            "tokenizer": hashlib.sha256(tokenizer.model).hexdigest(),
            "sentencepiece": sentencepiece.__version__,
            "max_tokens": max_tokens,
        }
        entry = cache.obtain("tokens", key, lambda path: _build(path, texts, tokenizer, max_tokens))
        summary = json.loads((entry / _SUMMARY).read_text("utf-8"))
        return TokenStore(
            ids=mapped(entry / _IDS, id_type(tokenizer)),
            starts=mapped(entry / _STARTS, np.int64),
            source_lengths=mapped(entry / _SOURCE_LENGTHS, np.uint16),
            target_lengths=mapped(entry / _TARGET_LENGTHS, np.uint16),
            rows=mapped(entry / _ROWS, np.int64),
            part_ends=tuple(summary["part_ends"]),
            report=DropReport.from_document(summary),
        )


def id_type(tokenizer: Tokenizer) -> type[np.unsignedinteger[Any]]:
    """Return the smallest type that holds all ids of a vocabulary."""
    return np.uint16 if tokenizer.vocabulary_size <= 1 << 16 else np.uint32


def _build(folder: Path, texts: TextStore, tokenizer: Tokenizer, max_tokens: int) -> None:
    """Tokenize a text, and write the pairs that are neither too long nor without tokens."""
    report = DropReport(read=int(texts.kept.sum()))
    counts = np.zeros(len(texts.part_ends), dtype=np.int64)
    end = 0
    with ExitStack() as stack:
        ids, starts, source_lengths, target_lengths, rows = (
            stack.enter_context(ArrayWriter(folder / name, dtype))
            for name, dtype in (
                (_IDS, id_type(tokenizer)),
                (_STARTS, np.int64),
                (_SOURCE_LENGTHS, np.uint16),
                (_TARGET_LENGTHS, np.uint16),
                (_ROWS, np.int64),
            )
        )
        starts.append(0)
        for row in texts.kept_rows():
            text = texts.pair(row)
            pair, part = tokenize(text, tokenizer), texts.part(row)
            if not pair.source or not pair.target or pair.longest_side > max_tokens:
                report.drop(Fault.TOKENS, text, part=part, line=int(texts.lines[row]))
                continue
            ids.extend(pair.source)
            ids.extend(pair.target)
            end += len(pair.source) + len(pair.target)
            starts.append(end)
            source_lengths.append(len(pair.source))
            target_lengths.append(len(pair.target))
            rows.append(row)
            counts[part] += 1
    if not end:
        raise CorpusError(
            "corpus.max_tokens: no pair is left: every one has a side without tokens or with more "
            f"than {max_tokens}"
        )
    document = {**report.as_document(), "part_ends": counts.cumsum().tolist()}
    (folder / _SUMMARY).write_text(json.dumps(document, indent=2) + "\n", "utf-8")
