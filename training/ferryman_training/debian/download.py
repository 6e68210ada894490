"""Downloads that go on where they were cut off, and are what they should be or are not there."""

from __future__ import annotations

import errno
import hashlib
import http.client
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeAlias

from ferryman_training.debian.errors import MirrorError

_CHUNK: Final = 1 << 18
_TIMEOUT: Final = 60.0
"""Seconds without a byte."""
_TRIES: Final = 5
_PAUSE: Final = 2.0
"""Seconds before the second try; doubled each time."""
_TRANSIENT: Final = (OSError, http.client.HTTPException)
_LOCAL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EIO)
"""Errors of writing here."""


Watch: TypeAlias = Callable[[int], object]
"""Told how many bytes of a file are here by now."""


def download(
    url: str,
    path: Path,
    *,
    size: int,
    sha256: str,
    watch: Watch,
    sleep: Callable[[float], object] = time.sleep,
) -> None:
    """Fetch a file, unless it is there already; proxies come from the environment.

    What has come is kept in ``NAME.partial``, and the next try, or the next run, asks for the rest.
    The file gets its name when size and digest are right.

    Args:
        url: Where it is.
        path: Where it goes.
        size: In bytes.
        sha256: In hexadecimal.
        watch: Told how many bytes are here by now, those of earlier runs included.
        sleep: Waits between two tries.

    Raises:
        MirrorError: The mirror does not answer, or what it has is something else.
        OSError: The file cannot be written.
    """
    if path.exists() and path.stat().st_size == size and file_digest(path) == sha256:
        watch(size)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    for number in range(_TRIES):
        last = number == _TRIES - 1
        try:
            _fetch(url, partial, size=size, watch=watch)
            break
        except _TRANSIENT as error:
            if getattr(error, "errno", None) in _LOCAL:
                raise  # not the mirror's fault, and no better next time
            reason = _reason(error)
            if last or (isinstance(error, urllib.error.HTTPError) and error.code < 500):
                raise MirrorError(f"{url}: {reason}; the same command goes on from here") from error
        sleep(_PAUSE * 2**number)
    found = file_digest(partial)
    if found != sha256:
        partial.unlink()
        raise MirrorError(
            f"{url}: has the SHA-256 {found}, but the index says {sha256}; the mirror may be in "
            "the middle of an update, so try again later"
        )
    partial.replace(path)


def fetch(url: str) -> bytes:
    """Return a small file whose digest is not known before.

    Raises:
        MirrorError: The mirror does not answer, or has no such file.
    """
    try:
        with _open(url) as answer:
            return bytes(answer.read())
    except _TRANSIENT as error:
        raise MirrorError(f"{url}: {_reason(error)}") from error


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _fetch(url: str, partial: Path, *, size: int, watch: Watch) -> None:
    """Fetch what is missing of a file.

    Raises:
        OSError, HTTPException: The connection was lost or refused.
    """
    have = partial.stat().st_size if partial.exists() else 0
    if have > size:
        partial.unlink()
        have = 0
    watch(have)
    if have == size:
        return
    with _open(url, start=have) as answer, partial.open("ab") as file:
        if have and answer.status != http.client.PARTIAL_CONTENT:
            file.truncate(0)  # the server sends all of it again
            have = 0
        while chunk := answer.read(_CHUNK):
            file.write(chunk)
            have += len(chunk)
            watch(have)
        file.flush()
        os.fsync(file.fileno())
    if have < size:
        raise OSError(f"ended after {have:,} of {size:,} bytes")


def _reason(error: Exception) -> str:
    """Return what went wrong, and be done with an answer that is an error."""
    if isinstance(error, urllib.error.HTTPError):
        error.close()
        return f"{error.code} {error.reason}"
    return str(getattr(error, "reason", None) or error)


def _open(url: str, *, start: int = 0) -> Any:
    request = urllib.request.Request(url, headers={"User-Agent": "ferryman-corpus"})
    if start:
        request.add_header("Range", f"bytes={start}-")
    # A new opener each time: the global one keeps the proxies that it found first.
    return urllib.request.build_opener().open(request, timeout=_TIMEOUT)
