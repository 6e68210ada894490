"""Bundles that were loaded here before, by their digest: a small file in the user's cache.

It only saves time. A cache that is not there, cannot be written or holds nonsense is an empty one.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

_MOST_BYTES: Final = 64 << 10
"""About 600 bundles; then the file begins anew."""


def cache_file() -> Path:
    """Return where the digests are kept, by the XDG Base Directory Specification."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    # The specification has relative paths ignored.
    folder = Path(base) if Path(base).is_absolute() else Path("~/.cache").expanduser()
    return folder / "ferryman" / "known-bundles"


class KnownBundles:
    """The keys of bundles that were loaded here without harm.

    Args:
        path: Of the file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def __contains__(self, key: str) -> bool:
        """Tell whether a key is known."""
        try:
            return f"{key}\n" in self._path.read_text("ascii").splitlines(keepends=True)
        except (OSError, ValueError):
            return False

    def add(self, key: str) -> None:
        """Remember a key, if that is possible.

        Args:
            key: One line.
        """
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            full = self._path.exists() and self._path.stat().st_size > _MOST_BYTES
            with self._path.open("w" if full else "a", encoding="ascii") as file:
                file.write(f"{key}\n")
        except OSError:
            pass
