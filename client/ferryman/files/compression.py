"""Compressed files, by their suffix: .gz, .xz and .zst."""

from __future__ import annotations

import gzip
import lzma
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from ferryman.files.errors import InputFileError

SUFFIXES = (".gz", ".xz", ".zst")
"""What a compressed file's name ends with."""

_BLOCK_BYTES = 1 << 20


def plain_name(path: Path) -> Path:
    """Return the path without the suffix of its compression, if it has one.

    >>> plain_name(Path("notes.txt.gz")).name, plain_name(Path("notes.txt")).name
    ('notes.txt', 'notes.txt')
    """
    return path.with_suffix("") if is_compressed(path) else path


def is_compressed(path: Path) -> bool:
    """Tell by its name whether a file is compressed."""
    return path.suffix.lower() in SUFFIXES


@contextmanager
def reading(path: Path) -> Iterator[BinaryIO]:
    """Open a file for reading while the block runs; what is read is plain.

    Raises:
        InputFileError: It is not there, cannot be read, or is no sound compressed file; the last
            also while it is read.
    """
    try:
        with path.open("rb") as file, _decompressed(file, path) as stream:
            yield stream
    except (EOFError, gzip.BadGzipFile, lzma.LZMAError) as fault:
        raise InputFileError(f"{path}: is damaged, or no {path.suffix} file: {fault}") from fault
    except OSError as fault:
        if fault.filename is None or Path(fault.filename) != path:
            raise  # of something else that the block does
        raise InputFileError(f"cannot read {path}: {fault.strerror}") from fault
    except Exception as fault:
        if type(fault).__name__ != "ZstdError":  # its module may not be installed
            raise
        raise InputFileError(f"{path}: is damaged, or no .zst file: {fault}") from fault


def _decompressed(file: BinaryIO, path: Path) -> BinaryIO:
    match path.suffix.lower():
        case ".gz":
            return cast("BinaryIO", gzip.GzipFile(fileobj=file, mode="rb"))
        case ".xz":
            return cast("BinaryIO", lzma.LZMAFile(file, "rb"))
        case ".zst":
            from ferryman.files.zstandard import zstd

            return cast("BinaryIO", zstd.ZstdFile(file, "rb"))
    return file


def compress(plain: Path, packed: BinaryIO, suffix: str) -> None:
    """Write a plain file compressed: the same bytes for the same content, whenever and wherever.

    Args:
        plain: File to read.
        packed: Where to write.
        suffix: One of `SUFFIXES`.
    """
    with plain.open("rb") as source, compressor(packed, suffix) as target:
        shutil.copyfileobj(source, target, _BLOCK_BYTES)


def compressor(packed: BinaryIO, suffix: str) -> BinaryIO:
    """Return what compresses into a file; to be closed before the file is.

    Args:
        packed: Where to write.
        suffix: One of `SUFFIXES`.
    """
    match suffix.lower():
        case ".gz":  # no name and no time in its header
            return cast("BinaryIO", gzip.GzipFile("", "wb", fileobj=packed, mtime=0))
        case ".xz":
            return cast("BinaryIO", lzma.LZMAFile(packed, "wb"))
        case ".zst":
            from ferryman.files.zstandard import zstd

            return cast("BinaryIO", zstd.ZstdFile(packed, "wb"))
    raise ValueError(f"{suffix} names no compression")
