"""Reading of parallel corpora: one pair a line, source TAB target, UTF-8."""

from __future__ import annotations

import gzip
import hashlib
import io
import lzma
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from ferryman_training.errors import CorpusError


@dataclass(frozen=True, slots=True)
class SentencePair:
    """One sentence in both languages."""

    source: str
    target: str


def read_pairs(path: Path) -> list[SentencePair]:
    """Read a TSV corpus, plain, ``.gz`` or ``.xz``.

    Raises:
        CorpusError: The file is missing, empty, not UTF-8, or a line is no pair of two
            non-blank texts; the first such line is named.
    """
    pairs = []
    for number, line in enumerate(_lines(path), start=1):
        fields = line.rstrip("\r\n").split("\t")
        if len(fields) != 2 or not fields[0].strip() or not fields[1].strip():
            raise CorpusError(
                f"{path}:{number}: must be source TAB target, both not blank, "
                f"but is {line.rstrip()[:80]!r}"
            )
        pairs.append(SentencePair(fields[0], fields[1]))
    if not pairs:
        raise CorpusError(f"{path}: is empty; it must have one sentence pair a line")
    return pairs


def digest(path: Path) -> str:
    """Return the SHA-256 of a corpus file as it lies on disk, in hexadecimal.

    Raises:
        CorpusError: The file cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise CorpusError(f"{path}: cannot be read ({error.strerror})") from error


def _lines(path: Path) -> Iterator[str]:
    """Yield the lines of a file, split at line feeds only: other breaks may stand in a sentence."""
    number = 0
    try:
        with _open(path) as raw:
            for line in raw:
                number += 1
                yield line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise CorpusError(f"{path}:{number}: is not UTF-8 ({error.reason})") from error
    except (OSError, EOFError, lzma.LZMAError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise CorpusError(f"{path}: cannot be read ({reason})") from error


def _open(path: Path) -> IO[bytes]:
    """Open a file for reading, decompressed by its suffix."""
    match path.suffix:
        case ".gz":
            return io.BufferedReader(gzip.open(path))
        case ".xz":
            return io.BufferedReader(lzma.open(path))
        case _:
            return path.open("rb")
