"""The packed form of a bundle: one file, for shipping.

It is a tar archive (POSIX ustar) without compression, and there is exactly one for every bundle:
``manifest.json`` and its seal first, then the other files by name, with fixed dates, owners and
modes. So reading needs no tar parser, which an archive of a stranger could mislead: the manifest
says which bytes come next, and any others are refused. A name that leads elsewhere, a link, a
member that is there twice or that nobody named has no place to be in.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import BinaryIO, Final

from ferryman_bundle.errors import BundleError
from ferryman_bundle.files import require_size
from ferryman_bundle.manifest import MANIFEST, SEAL

_BLOCK: Final = 512
_END: Final = bytes(2 * _BLOCK)
_NAME: Final = 100
"""Bytes that a header has for the name of its member."""
_SIZE: Final = slice(124, 136)
"""Where a header has the size of its member, in octal digits."""


def pack(contents: Mapping[str, bytes]) -> Iterator[bytes]:
    """Yield the bytes of an archive; equal contents give equal bytes.

    Args:
        contents: Every file of the bundle by name, manifest and seal among them.
    """
    for name in sorted(contents, key=_rank):
        content = contents[name]
        yield _header(name, len(content))
        yield content
        yield bytes(-len(content) % _BLOCK)
    yield _END


def _rank(name: str) -> tuple[bool, bool, str]:
    """Return the place of a file: what the others are checked against comes first."""
    return name != MANIFEST, name != SEAL, name


def _header(name: str, size: int) -> bytes:
    """Return the one header that a file can have."""
    # Python's tarfile does not write the same header in all its versions.
    header = b"".join(
        (
            name.encode().ljust(_NAME, b"\0"),
            b"0000644\0",  # mode
            b"0000000\0" * 2,  # user, group
            f"{size:011o}\0".encode(),
            b"00000000000\0",  # date
            b" " * 8,  # the checksum, which counts as blanks in itself
            b"0",  # a plain file
            bytes(100),  # no link
            b"ustar\x0000",
            bytes(64),  # names of user and group
            b"0000000\0" * 2,  # device
            bytes(167),  # no folder, and padding
        )
    )
    return header[:148] + f"{sum(header):06o}\0 ".encode() + header[156:]


class ArchiveReader:
    """The files of a packed bundle, which must be asked for in the order that they are in.

    Args:
        file: At the start of the archive.

    Raises:
        BundleError: This is no packed bundle.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._next = file.read(_BLOCK)
        """The header to come."""
        if not self.has(MANIFEST):
            raise BundleError("is neither the directory of a bundle nor a packed one")

    def has(self, name: str) -> bool:
        """Tell whether the next file seems to have this name."""
        return self._next[:_NAME].rstrip(b"\0") == name.encode()

    def expect(self, names: Collection[str]) -> None:
        """Check that there are no files but these: the order of reading sees to that."""

    def read(self, name: str, size: int | None = None, *, limit: int) -> bytes:
        """Read the next file; see `DirectoryReader.read`.

        Raises:
            BundleError: The next file is not this one, or not as the packing would have made it.
        """
        if not self.has(name):
            raise BundleError(f"{name}: is not where a packed bundle has it; pack the bundle again")
        found = self._size(name)
        if self._next != _header(name, found):
            raise BundleError(
                f"{name}: has another header than `ferryman bundle pack` writes; "
                "pack the bundle again"
            )
        require_size(name, found, size, limit=limit)
        content = self._file.read(found)
        padding = self._file.read(-found % _BLOCK)
        if len(content) != found or padding != bytes(-found % _BLOCK):
            raise BundleError(f"{name}: is cut off or not padded; fetch the bundle again")
        self._next = self._file.read(_BLOCK)
        return content

    def _size(self, name: str) -> int:
        digits = re.fullmatch(rb"([0-7]{11})\0", self._next[_SIZE])
        if digits is None:
            raise BundleError(f"{name}: its header has no size; fetch the bundle again")
        return int(digits[1], 8)

    def finish(self) -> None:
        """Check that nothing comes after the last file but the end.

        Raises:
            BundleError: Something does.
        """
        if self._next + self._file.read(_BLOCK + 1) != _END:
            raise BundleError(
                f"{MANIFEST}: names no file that comes here; the packed bundle does not end where "
                "it should; pack the bundle again"
            )
