"""Reading files that may be hostile: nothing but whole, plain, expected bytes comes out of here.

A directory is opened once and files are opened relative to it, so that what was checked is what
is read even while someone renames things. Links are refused: a symbolic link leads out of the
bundle, and a second hard link means that someone else can change the file after the check.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ferryman_bundle.errors import BundleError

_FLAGS: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
"""Without O_NONBLOCK, opening a named pipe would wait for a writer for ever."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeLimits:
    """How much of a bundle is read into memory at most, in bytes."""

    manifest: int = 4 << 20
    graph: int = 64 << 20
    """One ONNX file; weights are not in it."""
    text: int = 64 << 20
    """The tokenizer, the card, the licence: each."""
    bundle: int = 8 << 30
    """All files together."""


class DirectoryReader:
    """The files of a bundle in a directory.

    Args:
        descriptor: Of the open directory.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._names = frozenset(os.listdir(descriptor))

    def has(self, name: str) -> bool:
        """Tell whether there is a file of this name."""
        return name in self._names

    def expect(self, names: Collection[str]) -> None:
        """Check that there are no files but these.

        Raises:
            BundleError: There is another one.
        """
        extra = min(self._names.difference(names), default=None)
        if extra is not None:
            raise BundleError(f"{extra!r}: is not in the manifest; remove it from the bundle")

    def read(self, name: str, size: int | None = None, *, limit: int) -> bytes:
        """Read one file whole.

        Args:
            name: Of the file.
            size: Its size in bytes, where that is known.
            limit: The most bytes that it may have.

        Raises:
            BundleError: It is missing, a link, no plain file, or of another size.
        """
        with _opened_file(name, self._descriptor) as descriptor:
            found = plain_size(descriptor, name)
            require_size(name, found, size, limit=limit)
            return read_exactly(descriptor, name, found)

    def finish(self) -> None:
        """Check that nothing is left to read; a directory has no end to check."""


@contextmanager
def opened_bundle(path: Path) -> Iterator[int]:
    """Give the descriptor of a bundle's directory, or of its packed form.

    The path itself may end in a symbolic link: a folder of models often has one to its current
    release.

    Raises:
        BundleError: There is none.
    """
    try:
        descriptor = os.open(path, _FLAGS)
    except OSError as error:
        raise BundleError(f"there is no bundle ({error.strerror})") from error
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def _opened_file(name: str, directory: int) -> Iterator[int]:
    """Give the descriptor of a file in an open directory."""
    try:
        descriptor = os.open(name, _FLAGS | os.O_NOFOLLOW, dir_fd=directory)
    except FileNotFoundError as error:
        raise BundleError(f"{name}: is missing; fetch the bundle again") from error
    except OSError as error:
        raise BundleError(
            f"{name}: cannot be opened as a plain file ({error.strerror}); "
            "copy the bundle without links"
        ) from error
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def plain_size(descriptor: int, name: str) -> int:
    """Return the size of a regular file with one link, in bytes.

    Raises:
        BundleError: It is something else.
    """
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise BundleError(f"{name}: is not a plain file; fetch the bundle again")
    if status.st_nlink != 1:
        raise BundleError(
            f"{name}: has {status.st_nlink} hard links, so others can change it; "
            "copy the bundle (uv: --link-mode=copy)"
        )
    return status.st_size


def require_size(name: str, found: int, expected: int | None, *, limit: int) -> None:
    """Check the size of a file before a byte of it is read.

    Raises:
        BundleError: It is not the expected one, or more than the limit.
    """
    if found > limit:
        raise BundleError(f"{name}: is {found} bytes long; at most {limit} are read")
    if expected is not None and found != expected:
        raise BundleError(
            f"{name}: is {found} bytes long instead of {expected}; fetch the bundle again"
        )


def read_exactly(descriptor: int, name: str, size: int) -> bytes:
    """Read a whole file, which must end where its size says.

    Raises:
        BundleError: It does not.
    """
    with open(descriptor, "rb", closefd=False) as file:
        content = file.read(size + 1)
    if len(content) != size:
        raise BundleError(f"{name}: changed while it was read; fetch the bundle again")
    return content
