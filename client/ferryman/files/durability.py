"""Writes that reach the disk, whole or not at all."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ferryman.files.errors import OutputBusyError, OutputFileError


def beside(output: Path, suffix: str) -> Path:
    """Return the path of a working file, in the folder of the output so that it can be renamed."""
    return output.with_name(output.name + suffix)


@contextmanager
def writing(path: Path, kept: str = "") -> Iterator[None]:
    """Turn a fault of writing to the path in the block into an `OutputFileError`.

    Args:
        path: What is written.
        kept: A sentence on what was done before and is not lost.
    """
    try:
        yield
    except OSError as fault:
        remedy = f"; {kept}" if kept else ""
        raise OutputFileError(f"cannot write {path}: {fault.strerror}{remedy}") from fault


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of the data; a call may take a part of it only."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def locked(path: Path) -> int:
    """Open a file, which is made if it is not there, for this process alone.

    Returns:
        Its descriptor; closing it gives the lock back, and so does the end of the process.

    Raises:
        OutputBusyError: Another process has it.
        OutputFileError: It cannot be opened.
    """
    while True:
        with writing(path):
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_at(descriptor, path):
                return descriptor
        except BlockingIOError:
            os.close(descriptor)
            raise OutputBusyError(
                f"{path} is held by another process, which writes the same output: wait for it, "
                "or choose another output"
            ) from None
        os.close(descriptor)  # who had it before has just finished, and removed it


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        there = path.stat()
    except FileNotFoundError:
        return False
    return os.path.samestat(os.fstat(descriptor), there)


def replace(unfinished: Path, final: Path) -> None:
    """Give a file, whose bytes are made durable first, its final name."""
    flush(unfinished)
    os.replace(unfinished, final)  # noqa: PTH105  # as every call that a kill is tried at
    flush(final.parent)


def remove(path: Path) -> None:
    """Remove a file, if it is there."""
    try:
        os.unlink(path)  # noqa: PTH108
    except FileNotFoundError:
        return


def flush(path: Path) -> None:
    """Return when a file or folder is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
