"""JSON Lines, of which one field is translated. All else of a line stays as it is, to the byte."""

from __future__ import annotations

import json
import re
from collections.abc import Generator
from functools import partial
from json.decoder import scanstring  # type: ignore[attr-defined]
from pathlib import Path
from typing import NamedTuple

from ferryman.files.text_lines import LineFormat
from ferryman.files.units import Fault, Unit

_SPACE = re.compile(r"[ \t\n\r]*")
_decoder = json.JSONDecoder()


class Place(NamedTuple):
    """Where a value is in a line of JSON, and what it is."""

    start: int
    end: int
    value: object


class JsonFormat(LineFormat):
    """A JSON object on each line.

    Args:
        field: Field to translate; ``message.text`` is the field ``text`` of the field ``message``.
        into: Field of the same object that is given the translation; the same where it is left out.
    """

    name = "jsonl"

    def __init__(self, field: str = "text", into: str | None = None) -> None:
        super().__init__()
        *self._parents, self._field = field.split(".")
        self._into = self._field if into is None else into
        self.settings = {"field": field, "into": self._into}

    def translated_units(self, output: Path) -> Generator[Unit, None, None]:
        """Yield a unit for each object of an output."""
        return JsonFormat(".".join([*self._parents, self._into])).units(output)

    def unit_of(self, line: str, end: str) -> Unit:
        """Return the unit of an object."""
        copied = (line + end).encode()
        if not line.strip():
            return Unit(b"", None, lambda _: copied)
        try:
            fields = self._fields(line)
        except ValueError as fault:
            return Unit(b"", None, lambda _: copied, Fault("NOT_JSON", str(fault)))
        found = fields.get(self._field)
        if found is None:
            known = ", ".join(fields) or "nothing"
            message = f"there is no field {self._field!r}, but {known}"
            return Unit(b"", None, lambda _: copied, Fault("NO_FIELD", message))
        if found.value is None:
            return Unit(b"", None, lambda _: copied)
        if not isinstance(found.value, str):
            message = f"the field {self._field!r} is no string"
            return Unit(b"", None, lambda _: copied, Fault("NO_TEXT", message))
        target = fields.get(self._into)
        render = partial(self._render, line, end, found, target)
        return Unit(b"", found.value, render)

    def _render(
        self, line: str, end: str, found: Place, target: Place | None, text: str | None
    ) -> bytes:
        written = json.dumps(text, ensure_ascii=line.isascii() and "\\u" in line)
        if target is not None:
            line = line[: target.start] + written + line[target.end :]
        else:
            name = json.dumps(self._into, ensure_ascii=False)
            line = f"{line[: found.end]}, {name}: {written}{line[found.end :]}"
        return (line + end).encode()

    def _fields(self, line: str) -> dict[str, Place]:
        """Return the fields of the object that the field to translate is in."""
        start = _space(line, 0)
        fields, end = _object(line, start)
        if _space(line, end) != len(line):
            raise ValueError(f"there is more after the object, at character {end + 1}")
        for name in self._parents:
            if name not in fields or line[fields[name].start] != "{":
                return {}
            fields, _ = _object(line, fields[name].start)
        return fields


def _object(line: str, start: int) -> tuple[dict[str, Place], int]:
    """Return the fields of the object that starts at an offset, and where it ends.

    Raises:
        ValueError: There is none.
    """
    if line[start : start + 1] != "{":
        raise ValueError("the line is no JSON object")
    fields: dict[str, Place] = {}
    at = _space(line, start + 1)
    if line[at : at + 1] == "}":
        return fields, at + 1
    while True:
        if line[at : at + 1] != '"':
            raise ValueError(f"a name is missing at character {at + 1}")
        name, at = scanstring(line, at + 1, True)
        at = _space(line, at)
        if line[at : at + 1] != ":":
            raise ValueError(f"a colon is missing at character {at + 1}")
        begin = _space(line, at + 1)
        value, at = _decoder.raw_decode(line, begin)
        fields[name] = Place(begin, at, value)
        at = _space(line, at)
        if line[at : at + 1] == "}":
            return fields, at + 1
        if line[at : at + 1] != ",":
            raise ValueError(f"a comma is missing at character {at + 1}")
        at = _space(line, at + 1)


def _space(line: str, start: int) -> int:
    """Return the offset of the next character that is no white space."""
    match = _SPACE.match(line, start)
    assert match is not None  # it matches nothing, too
    return match.end()
