"""The files inside a Debian package, read without unpacking it.

A package is an ``ar`` archive of two compressed ``tar`` archives; see deb(5).
"""

from __future__ import annotations

import gzip
import io
import lzma
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, BinaryIO, Final

from ferryman_training.debian.errors import PackageError
from ferryman_training.zstandard import zstd

_MAGIC: Final = b"!<arch>\n"
_HEADER: Final = 60
"""Bytes before each member of an ar archive."""
_LARGEST: Final = 1 << 26
"""Bytes of the largest file that is read; documents are far smaller."""

_OPENERS: Final[dict[str, Callable[..., Any]]] = {
    "data.tar": lambda file: file,
    "data.tar.gz": gzip.open,
    "data.tar.xz": lzma.open,
    "data.tar.zst": zstd.open,
}


def files_of(path: Path, wanted: Callable[[str], bool]) -> Iterator[tuple[str, bytes]]:
    """Yield the wanted files of a package, with their paths from the root of the system.

    Args:
        path: Of the package.
        wanted: Tells of a path, as in ``usr/share/doc/bash/copyright``, whether to read the file.

    Raises:
        PackageError: The package is damaged.
    """
    try:
        with path.open("rb") as package:
            name, data = _data(package)
            opener = _OPENERS.get(name)
            if opener is None:
                raise PackageError(f"{path}: has its files in {name}, which cannot be read here")
            with opener(data) as plain, tarfile.open(fileobj=plain, mode="r|") as archive:
                for member in archive:
                    file = member.name.removeprefix("./")
                    if member.isreg() and member.size <= _LARGEST and wanted(file):
                        content = archive.extractfile(member)
                        assert content is not None
                        yield file, content.read()
    except (OSError, EOFError, lzma.LZMAError, zstd.ZstdError, tarfile.TarError) as error:
        raise PackageError(f"{path}: is damaged ({error}); delete it and run again") from error


def _data(package: BinaryIO) -> tuple[str, IO[bytes]]:
    """Return name and content of the member of an ar archive that holds the files."""
    if package.read(len(_MAGIC)) != _MAGIC:
        raise OSError("it is no ar archive")
    while header := package.read(_HEADER):
        name = header[:16].decode("ascii", "replace").rstrip().rstrip("/")
        try:
            size = int(header[48:58])
        except ValueError:
            raise OSError("a header is no header") from None
        if name.startswith("data.tar"):
            return name, io.BufferedReader(_Member(package, size))
        package.seek(size + size % 2, io.SEEK_CUR)
    raise OSError("it has no files in it")


class _Member(io.RawIOBase):
    """The part of a file from where it stands, of so many bytes."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file = file
        self._left = size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        chunk = self._file.read(min(len(buffer), self._left))
        buffer[: len(chunk)] = chunk
        self._left -= len(chunk)
        return len(chunk)
