"""Arrays on the disk: written piece by piece, and mapped into memory to be read.

Mapped pages belong to the page cache. The kernel drops them when memory is wanted, so an array may
be larger than memory, and processes that map the same file share its pages.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, Self

import numpy as np
import numpy.typing as npt

_CHUNK: Final = 1 << 14
"""Numbers that are held in memory before they are written."""


class ArrayWriter:
    """Writes the numbers of one array to a file, as they come.

    Args:
        file: A path, or a file that is open for writing; a path is closed at the end of the
            ``with`` block.
        dtype: What the file holds, in the machine's byte order.
    """

    def __init__(self, file: Path | IO[bytes], dtype: npt.DTypeLike) -> None:
        self._path = file if isinstance(file, Path) else None
        self._file = file.open("wb") if isinstance(file, Path) else file
        self._dtype = np.dtype(dtype)
        self._waiting: list[int] = []

    def append(self, number: int) -> None:
        """Add one number."""
        self._waiting.append(number)
        if len(self._waiting) >= _CHUNK:
            self.flush()

    def extend(self, numbers: Iterable[int]) -> None:
        """Add several numbers."""
        self._waiting.extend(numbers)
        if len(self._waiting) >= _CHUNK:
            self.flush()

    def flush(self) -> None:
        """Hand everything over to the file."""
        self._file.write(np.array(self._waiting, dtype=self._dtype).tobytes())
        self._file.flush()
        self._waiting.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                self.flush()
        finally:
            if self._path is not None:
                self._file.close()


def mapped(file: Path | IO[bytes], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """Return the array of a file, read-only; nothing is read until it is looked at."""
    size = file.stat().st_size if isinstance(file, Path) else file.seek(0, 2)
    if size == 0:  # which cannot be mapped
        return np.empty(0, dtype=dtype)
    # A plain array over the mapping: indexing a memmap makes a memmap of every number.
    return np.asarray(np.memmap(file, dtype=dtype, mode="r"))
