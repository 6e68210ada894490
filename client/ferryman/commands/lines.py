"""Lines of text from a file or a pipe, as they come."""

from __future__ import annotations

import os
import select
import stat
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ferryman.exit_codes import ExitCode

_READ_BYTES = 1 << 16
_LONGEST_LINE = 1 << 24
"""Bytes; more is no line of text but a file of another kind."""


class InputError(Exception):
    """What was to be translated cannot be read; the message says where, and what to do."""

    exit_code = ExitCode.BAD_INPUT


class LineReader:
    """The lines of one input, without their ends, which are LF or CR LF.

    A fault does not raise where it is found, because the lines before it are good and on their way:
    the input ends there, and `fault` says why.

    Args:
        descriptor: File descriptor to read from.
        name: What to call the input in messages.
    """

    def __init__(self, descriptor: int, name: str) -> None:
        self.at_end = False
        """Whether there are no more lines."""
        self.fault: InputError | None = None
        """Why the input ended early."""
        self._descriptor = descriptor
        self._name = name
        self._complete: deque[bytes] = deque()
        self._incomplete = bytearray()
        self._exhausted = False
        self._number = 0

    def burst(self) -> Iterator[str]:
        """Yield the lines that come without a pause; wait for the first one.

        A pause ends a burst, so that whoever types, or follows a log, has an answer before the next
        line; a file is one burst.
        """
        while not self.at_end:
            if self._complete:
                line = self._decoded(self._complete.popleft())
                if line is not None:
                    yield line
            elif self._exhausted:
                self.at_end = True
            else:
                self._read()
                continue
            if not self._complete and not self._exhausted and not self._has_more_now():
                return

    def _has_more_now(self) -> bool:
        return bool(select.select([self._descriptor], [], [], 0.0)[0])

    def _read(self) -> None:
        """Take what there is, or wait for it."""
        data = os.read(self._descriptor, _READ_BYTES)
        if not data:
            self._exhausted = True
            if self._incomplete:  # the last line has no end
                self._complete.append(bytes(self._incomplete))
            return
        *lines, rest = data.split(b"\n")
        if lines:
            lines[0] = bytes(self._incomplete) + lines[0]
            self._incomplete.clear()
            self._complete.extend(lines)
        self._incomplete += rest
        if len(self._incomplete) > _LONGEST_LINE:
            self._end_with(
                f"line {self._number + len(self._complete) + 1} is longer than "
                f"{_LONGEST_LINE >> 20} MiB: is this a text file?"
            )

    def _decoded(self, line: bytes) -> str | None:
        """Return the text of a line; None when it has none, which ends the input."""
        self._number += 1
        try:
            text = line.removesuffix(b"\r").decode()
        except UnicodeDecodeError as fault:
            self._end_with(
                f"line {self._number}, byte {fault.start + 1} (0x{line[fault.start]:02x}) is not "
                "UTF-8. Convert the input first, as with: iconv -f ISO-8859-1 -t UTF-8"
            )
            return None
        return text.removeprefix("\ufeff") if self._number == 1 else text

    def _end_with(self, what: str) -> None:
        self.fault = InputError(f"{self._name}: {what}")
        self.at_end = True


@contextmanager
def open_lines(file: Path | None) -> Iterator[tuple[LineReader, int | None]]:
    """Open a file, or stdin, while the block runs.

    Yields:
        Its lines, and its size in bytes; None where only its end will tell.

    Raises:
        InputError: It cannot be opened.
    """
    if file is None:
        if sys.stdin is None:
            raise InputError("there is neither a text, nor --file, nor stdin")
        if sys.stdin.isatty():
            print("Type a line to translate; Ctrl-D ends.", file=sys.stderr)
        yield LineReader(sys.stdin.fileno(), "stdin"), None
        return
    try:
        stream = file.open("rb", buffering=0)
    except OSError as fault:
        raise InputError(f"cannot read {file}: {fault.strerror}") from None
    with stream:
        status = os.fstat(stream.fileno())
        size = status.st_size if stat.S_ISREG(status.st_mode) else None
        yield LineReader(stream.fileno(), str(file)), size
