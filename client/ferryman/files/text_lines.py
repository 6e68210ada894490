"""Lines: plain text, and tables whose columns are separated by tabs. Line n in is line n out."""

from __future__ import annotations

from collections.abc import Callable, Generator
from functools import partial
from pathlib import Path

from ferryman.files.compression import compress, is_compressed, reading
from ferryman.files.errors import InputFileError
from ferryman.files.units import Fault, Unit

_BOM = "\ufeff"
_LONGEST_LINE = 1 << 24
"""Bytes; more is no line of text but a file of another kind."""

Parse = Callable[[str, str], Unit]
"""Makes a unit of a line and its end."""


class LineFormat:
    """Files of which every line is a unit. Only ``unit_of`` differs from kind to kind."""

    name = "txt"
    noun = "line"

    def __init__(self) -> None:
        self.settings: dict[str, str] = {}

    def units(self, source: Path) -> Generator[Unit, None, None]:
        """Yield a unit for each line."""
        with reading(source) as stream:
            number = 0
            while raw := stream.readline(_LONGEST_LINE + 1):
                number += 1
                if len(raw) > _LONGEST_LINE:
                    raise InputFileError(
                        f"{source}: line {number} is longer than {_LONGEST_LINE >> 20} MiB: "
                        "is this a text file?"
                    )
                yield self._unit(raw, first=number == 1)

    def translated_units(self, output: Path) -> Generator[Unit, None, None]:
        """Yield a unit for each line of an output."""
        return self.units(output)

    def is_assembled(self, output: Path) -> bool:
        """Tell whether there is nothing to compress."""
        return not is_compressed(output)

    def assemble(self, source: Path, part: Path, output: Path, *, packed: str) -> None:  # noqa: ARG002
        """Compress the lines."""
        with output.open("wb") as file:
            compress(part, file, packed)

    def unit_of(self, line: str, end: str) -> Unit:
        """Return the unit of a line.

        Args:
            line: The line.
            end: How it ends: LF, CR LF, or nothing.
        """
        return Unit(b"", line, partial(_rendered_line, end))

    def _unit(self, raw: bytes, *, first: bool) -> Unit:
        end = b"\r\n" if raw.endswith(b"\r\n") else b"\n" if raw.endswith(b"\n") else b""
        try:
            line = raw.removesuffix(end).decode()
        except UnicodeDecodeError as fault:
            message = f"byte {fault.start + 1} (0x{raw[fault.start]:02x}) is not UTF-8"
            return Unit(raw, None, lambda _: end, Fault("NOT_UTF8", message))
        mark = _BOM if first and line.startswith(_BOM) else ""
        unit = self.unit_of(line.removeprefix(mark), end.decode())
        render = unit.render
        if mark:
            render = partial(_marked, unit.render)
        return Unit(raw, unit.text, render, unit.fault)


def _marked(render: Callable[[str | None], bytes], text: str | None) -> bytes:
    return _BOM.encode() + render(text)


def _rendered_line(end: str, text: str | None) -> bytes:
    return (one_line(text or "") + end).encode()


def one_line(text: str) -> str:
    r"""Return a text as one line: what would end it is a space.

    >>> one_line("Zuerst.\r\nDann.")
    'Zuerst. Dann.'
    """
    if "\n" not in text and "\r" not in text:
        return text
    return text.replace("\r\n", " ").replace("\n", " ").replace("\r", " ")


class TableFormat(LineFormat):
    """Tab-separated values, of which one column is translated.

    Args:
        field: Number of the column to translate, from 1.
        into: Number of the column that the translation replaces; one more than there are appends
            it. The same column where it is left out.

    Raises:
        ValueError: A column is no number from 1.
    """

    name = "tsv"

    def __init__(self, field: str = "1", into: str | None = None) -> None:
        super().__init__()
        self._field, self._into = _column(field), _column(field if into is None else into)
        self.settings = {"field": str(self._field + 1), "into": str(self._into + 1)}

    def translated_units(self, output: Path) -> Generator[Unit, None, None]:
        """Yield a unit for each row of an output."""
        return TableFormat(self.settings["into"]).units(output)

    def unit_of(self, line: str, end: str) -> Unit:
        """Return the unit of a row."""
        cells = line.split("\t")
        if not line.strip():
            return Unit(b"", None, lambda _: (line + end).encode())
        if self._field >= len(cells) or self._into > len(cells):
            wanted = max(self._field, self._into) + 1
            fault = Fault("NO_FIELD", f"there is no column {wanted}, but {len(cells)} columns")
            return Unit(b"", None, lambda _: (line + end).encode(), fault)

        def render(text: str | None) -> bytes:
            written = [*cells, ""] if self._into == len(cells) else list(cells)
            written[self._into] = one_line(text or "").replace("\t", " ")
            return ("\t".join(written) + end).encode()

        return Unit(b"", cells[self._field], render)


def _column(name: str) -> int:
    if not name.isascii() or not name.isdigit() or int(name) < 1:
        raise ValueError(f"a column of a .tsv file is a number from 1, not {name!r}")
    return int(name) - 1
