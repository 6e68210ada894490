"""Reading files that may be hostile: nothing but whole, plain, expected bytes comes out of here.

A directory is opened once and files are opened relative to it, so that what was checked is what
is read even while someone renames things. Links are refused: a symbolic link leads out of the
bundle, and a second hard link means that someone else can change the file after the check.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from ferryman_bundle.errors import BundleError
from ferryman_bundle.manifest import MANIFEST, FileEntry

MAX_MANIFEST_BYTES: Final = 4 << 20
MAX_BUNDLE_BYTES: Final = 8 << 30
"""All files together; what a manifest may make us read into memory."""


@contextmanager
def opened_directory(directory: Path) -> Iterator[int]:
    """Give the descriptor of an open directory.

    Raises:
        BundleError: There is no such directory.
    """
    try:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise BundleError(f"{directory}: is no bundle directory ({error.strerror})") from error
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def read_manifest_file(directory: int) -> bytes:
    """Read ``manifest.json``, of which nothing is known but that it cannot be large."""
    with _opened_file(directory, MANIFEST) as (descriptor, size):
        if size > MAX_MANIFEST_BYTES:
            raise BundleError(
                f"{MANIFEST}: is {size} bytes long; at most {MAX_MANIFEST_BYTES} are read"
            )
        return _read(descriptor, MANIFEST, size)


def read_files(directory: int, entries: Mapping[str, FileEntry]) -> dict[str, bytes]:
    """Read every file of a bundle but the manifest, each checked before anyone parses a byte.

    Args:
        directory: From `opened_directory`.
        entries: What the manifest says of every file, by name.

    Raises:
        BundleError: A file is missing, extra, a link, or not what the manifest says.
    """
    total = sum(entry.size for entry in entries.values())
    if total > MAX_BUNDLE_BYTES:
        raise BundleError(
            f"{MANIFEST}: lists {total} bytes of files; at most {MAX_BUNDLE_BYTES} are read"
        )
    extra = sorted(set(os.listdir(directory)) - set(entries) - {MANIFEST})
    if extra:
        raise BundleError(f"{extra[0]!r}: is not in the manifest; remove it from the bundle")
    return {name: _read_checked(directory, name, entry) for name, entry in entries.items()}


def _read_checked(directory: int, name: str, entry: FileEntry) -> bytes:
    """Read one file of which size and digest are known."""
    with _opened_file(directory, name) as (descriptor, size):
        if size != entry.size:
            raise BundleError(
                f"{name}: is {size} bytes long instead of {entry.size}; fetch the bundle again"
            )
        content = _read(descriptor, name, size)
    if hashlib.sha256(content).hexdigest() != entry.sha256:
        raise BundleError(
            f"{name}: does not have the SHA-256 of the manifest; fetch the bundle again"
        )
    return content


@contextmanager
def _opened_file(directory: int, name: str) -> Iterator[tuple[int, int]]:
    """Give descriptor and size of a regular file with one link."""
    # Without O_NONBLOCK, opening a named pipe would wait for a writer for ever.
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(name, flags, dir_fd=directory)
    except FileNotFoundError as error:
        raise BundleError(f"{name}: is missing; fetch the bundle again") from error
    except OSError as error:
        raise BundleError(
            f"{name}: cannot be opened as a plain file ({error.strerror}); "
            "copy the bundle without links"
        ) from error
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise BundleError(f"{name}: is not a plain file; fetch the bundle again")
        if status.st_nlink != 1:
            raise BundleError(
                f"{name}: has {status.st_nlink} hard links, so others can change it; "
                "copy the bundle (uv: --link-mode=copy)"
            )
        yield descriptor, status.st_size
    finally:
        os.close(descriptor)


def _read(descriptor: int, name: str, size: int) -> bytes:
    """Read a whole file, which must end where its size says."""
    with open(descriptor, "rb", closefd=False) as file:
        content = file.read(size + 1)
    if len(content) != size:
        raise BundleError(f"{name}: changed while it was read; fetch the bundle again")
    return content
