"""Files and directories that appear whole or not at all, and stay when the power fails."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

from safetensors import SafetensorError

from ferryman_training.errors import CheckpointError

_UNFINISHED = ".partial"
_DISCARDED = ".discarded"


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a new file, make it durable, and put it in the place of `path`.

    Raises:
        CheckpointError: The file could not be written; what was at `path` is still there.
    """
    unfinished = _hidden(path, _UNFINISHED)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(unfinished)
        _flush(unfinished)
        unfinished.replace(path)
        _flush(path.parent)
    except (OSError, SafetensorError, RuntimeError) as error:  # torch.save raises the last
        unfinished.unlink(missing_ok=True)
        raise CheckpointError(_failure(path, error)) from error


def write_directory(path: Path, fill: Callable[[Path], object]) -> None:
    """Let `fill` write files into a new directory, make them durable, and name it `path`.

    Args:
        path: Of the directory, which must not be there yet, or be empty.
        fill: Is given a directory to write into.

    Raises:
        CheckpointError: There is something at `path`, or a file could not be written; then nothing
            of it is left.
    """
    unfinished = _hidden(path, _UNFINISHED)
    if path.exists() and not (path.is_dir() and not any(path.iterdir())):
        raise CheckpointError(f"{path}: is there already; choose another directory")
    try:
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        fill(unfinished)
        for file in unfinished.iterdir():
            _flush(file)
        _flush(unfinished)
        unfinished.rename(path)
        _flush(path.parent)
    except (OSError, SafetensorError, RuntimeError) as error:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise CheckpointError(_failure(path, error)) from error


def discard_directory(path: Path) -> None:
    """Remove a directory that nobody may see half removed."""
    discarded = _hidden(path, _DISCARDED)
    path.rename(discarded)
    shutil.rmtree(discarded)


def remove_leftovers(directory: Path) -> None:
    """Remove what processes that were killed in the middle of a function above have left."""
    for pattern in (f".*{_UNFINISHED}", f".*{_DISCARDED}"):
        for path in directory.glob(pattern):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()


def _hidden(path: Path, suffix: str) -> Path:
    return path.with_name(f".{path.name}{suffix}")


def _flush(path: Path) -> None:
    """Return when the file or directory is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _failure(path: Path, error: Exception) -> str:
    """Return one line that says why something could not be written."""
    return f"{path}: could not be written ({_reason(error)})"


def _reason(error: Exception) -> str:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
        cause = cause.__context__  # torch raises an error of its own where a file's write fails
    if number := re.search(r"os error (\d+)", str(error)):  # so says safetensors
        return os.strerror(int(number[1]))
    return str(error).partition("\n")[0]
