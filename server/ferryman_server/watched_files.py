"""Files that are read again when they change, without a restart: certificates and keys."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Generic, TypeVar

T = TypeVar("T")
_log = logging.getLogger("ferryman.server")
_LOOK_SECONDS: Final = 1.0
"""How often, at most, the files are looked at."""


class WatchedFiles(Generic[T]):
    """What some files say, as of their last sound version.

    Args:
        paths: The files.
        read: Makes something of them; raises what the log gets to know.

    Raises:
        Exception: Whatever ``read`` raises, the first time only. Later a file that cannot be read,
            as one that is being written at that moment, leaves everything as it was.
    """

    def __init__(self, paths: Sequence[Path], read: Callable[[], T]) -> None:
        self._paths = tuple(paths)
        self._read = read
        self._lock = threading.Lock()
        self._looked = time.monotonic()
        self._signature = self._sign()
        self._value = read()

    def value(self) -> T:
        """Return what the files say now, or said not more than a second ago; from any thread."""
        with self._lock:
            now = time.monotonic()
            if now < self._looked + _LOOK_SECONDS:
                return self._value
            self._looked = now
            signature = self._sign()
            if signature != self._signature:
                self._signature = signature
                self._read_again()
            return self._value

    def _read_again(self) -> None:
        facts = {"files": ",".join(map(str, self._paths))}
        try:
            self._value = self._read()
        except Exception as error:  # whatever is wrong, the server goes on with what it has
            facts["reason"] = str(error)
            _log.error("changed files are not taken", extra={"facts": facts})
        else:
            _log.info("changed files are taken", extra={"facts": facts})

    def _sign(self) -> tuple[object, ...]:
        """Return what changes when a file does; a secret that Kubernetes mounts is a link."""
        signs: list[object] = []
        for path in self._paths:
            try:
                status = path.stat()
            except OSError as error:
                signs.append(error.errno)
            else:
                signs.append((status.st_ino, status.st_mtime_ns, status.st_size))
        return tuple(signs)
