"""Folders: every file in them that has a format is translated, in the same place of another one."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from ferryman.files.compression import plain_name
from ferryman.files.durability import locked, remove, write_all, writing
from ferryman.files.errors import InputFileError, OtherRunError
from ferryman.files.formats import BY_SUFFIX
from ferryman.files.journal import FAILURES
from ferryman.files.records import header_of, line_of, lines_with_ends

JOURNAL = ".ferryman-folder"


def files_in(folder: Path) -> list[Path]:
    """Return the files of a folder, and of those in it, that have a format; by name.

    Raises:
        InputFileError: There is none.
    """
    found = [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and plain_name(path).suffix.lower() in BY_SUFFIX
        and not path.name.endswith(FAILURES)
    ]
    if not found:
        raise InputFileError(f"{folder}: no file in it has a format that is known by its name")
    return found


class FolderJournal:
    """Which files of a folder are done; a context manager, inside which it is this process's alone.

    Args:
        output: Folder that the files are made in.
        identity: All that they depend on besides the input.
        restart: Begin anew whatever is left of an earlier run.

    Raises:
        OtherRunError: On entering: an earlier run of another identity is not finished.
    """

    def __init__(self, output: Path, identity: Mapping[str, str], *, restart: bool = False) -> None:
        self._path = output / JOURNAL
        self._header = header_of(identity)
        self._restart = restart
        self._done: set[bytes] = set()

    def __enter__(self) -> Self:
        with writing(self._path):
            self._path.parent.mkdir(parents=True, exist_ok=True)
        self._descriptor = locked(self._path)
        try:
            self._read()
        except BaseException:
            os.close(self._descriptor)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None:
            remove(self._path)
        os.close(self._descriptor)

    def left(self, files: list[Path], source: Path, output: Path) -> Iterator[tuple[Path, Path]]:
        """Yield the files that are not done, each with the one to make; note each as done after.

        Args:
            files: Of the source folder.
            source: The source folder.
            output: The folder to make them in.
        """
        for path in files:
            target = output / path.relative_to(source)
            line = _line(path, source)
            if line in self._done and target.exists():
                continue
            with writing(target):
                target.parent.mkdir(parents=True, exist_ok=True)
            yield path, target
            with writing(self._path):
                write_all(self._descriptor, line)

    def _read(self) -> None:
        lines = list(lines_with_ends(self._path))
        if lines and lines[0][0] != self._header and not self._restart:
            raise OtherRunError(
                f"{self._path} is of a run with another model or other options that is not "
                "finished: run that command again, or begin anew with --restart"
            )
        kept = lines if lines and not self._restart else []
        end = kept[-1][1] if kept else 0
        with writing(self._path):
            os.ftruncate(self._descriptor, end)
            os.lseek(self._descriptor, end, os.SEEK_SET)
            if not kept:
                write_all(self._descriptor, self._header)
        self._done = {line for line, _ in kept[1:]}


def _line(path: Path, folder: Path) -> bytes:
    """Return the line for a file with the bytes that it has now."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return line_of({"file": path.relative_to(folder).as_posix(), "sha256": digest})
