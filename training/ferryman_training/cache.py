"""The cache: folders of arrays that are made once and then mapped by everybody who needs them.

An entry is named by a digest of all that went into it, so one that is there is right, and several
runs may share a cache. It is built under another name, flushed to the disk and renamed: it is
there whole or not at all. A process that is killed while it builds leaves a folder that the next
one removes. Entries may be deleted while no run uses them; they are made again.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ferryman_training.errors import CorpusError

_RECORD: Final = "entry.json"
"""What the entry was made from, and the size of each of its files."""


@dataclass(frozen=True, slots=True)
class Cache:
    """A folder of entries."""

    folder: Path

    def obtain(self, kind: str, key: Mapping[str, Any], build: Callable[[Path], None]) -> Path:
        """Return the folder of an entry; make the entry if nobody has yet.

        Processes that ask for the same entry at the same time wait for the first of them.

        Args:
            kind: What is in the entry.
            key: Everything that decides what is in it, as JSON can hold it.
            build: Fills the new folder that it is given.

        Raises:
            CorpusError: The cache cannot be written; or whatever `build` raises.
        """
        record = json.dumps({"kind": kind, **key}, sort_keys=True)
        entry = self.folder / f"{kind}-{hashlib.sha256(record.encode()).hexdigest()[:16]}"
        if _is_whole(entry):
            return entry
        try:
            with self._lock(entry.name):
                if not _is_whole(entry):  # by now another process may have made it
                    self._make(entry, key, build)
        except OSError as error:
            reason = error.strerror or str(error)
            raise CorpusError(f"{self.folder}: the cache cannot be written ({reason})") from error
        return entry

    @contextmanager
    def _lock(self, name: str) -> Iterator[None]:
        """Be the only process that works on an entry; the hold ends with the process."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / f".{name}.lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _make(self, entry: Path, key: Mapping[str, Any], build: Callable[[Path], None]) -> None:
        partial = self.folder / f".{entry.name}.partial"
        for leftover in (partial, entry):
            if leftover.exists():
                shutil.rmtree(leftover)
        partial.mkdir()
        try:
            build(partial)
            files = {path.name: path.stat().st_size for path in sorted(partial.iterdir())}
            record = json.dumps({"key": key, "files": files}, indent=2) + "\n"
            (partial / _RECORD).write_text(record, "utf-8")
            for path in (*partial.iterdir(), partial):
                _flush(path)
            partial.rename(entry)
            _flush(self.folder)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise


def _is_whole(entry: Path) -> bool:
    """Tell whether an entry is there, with all its files in the size that they had."""
    try:
        files = json.loads((entry / _RECORD).read_text("utf-8"))["files"]
        return all((entry / name).stat().st_size == size for name, size in files.items())
    except (OSError, ValueError, KeyError):
        return False


def _flush(path: Path) -> None:
    """Return when the file or folder is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
