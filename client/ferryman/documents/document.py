"""Documents: files that are read whole, of which the texts change and nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Generator, Sequence
from functools import partial
from itertools import zip_longest
from pathlib import Path
from typing import Protocol

from ferryman.files.compression import SUFFIXES, compressor, reading
from ferryman.files.errors import InputFileError, OtherRunError
from ferryman.files.units import Unit

Translations = Sequence[str | None]
"""One for each slot; None where there is none, so that the slot stays as it is."""

_CORE = re.compile(r"\s*(.*?)\s*", re.DOTALL)


class Slots(Protocol):
    """A document that is open: its slots, each with a text to translate or already translated."""

    def sources(self) -> list[str | None]:
        """Return the text of each slot, in order; None where there is nothing to translate."""

    def filled(self, translations: Translations) -> bytes:
        """Return the document with the translations in its slots."""

    def targets(self) -> list[str | None]:
        """Return what each slot of a translated document holds."""


class Kind(Protocol):
    """Opens documents of one kind."""

    def __call__(self, data: bytes) -> Slots:
        """Open a document.

        Raises:
            ValueError: The data are no such document; the message says why.
        """


class DocumentFormat:
    """The format of documents of one kind; its units are the slots.

    White space around a text is not sent, and stays. A document is in memory as a whole.

    Args:
        name: As ``po``.
        kind: What opens them.
    """

    noun = "segment"

    def __init__(self, name: str, kind: Kind) -> None:
        self.name = name
        self.settings: dict[str, str] = {}
        self._kind = kind

    def units(self, source: Path) -> Generator[Unit, None, None]:
        """Yield a unit for each slot."""
        yield from map(_unit, self._open(source).sources())

    def translated_units(self, output: Path) -> Generator[Unit, None, None]:
        """Yield a unit for each slot of an output."""
        yield from map(_unit, self._open(output).targets())

    def is_assembled(self, output: Path) -> bool:  # noqa: ARG002
        """Tell that there is always something to put together."""
        return False

    def assemble(self, source: Path, part: Path, output: Path, *, packed: str) -> None:
        """Fill the slots of the source with what the units rendered to."""
        slots = self._open(source)
        translations: list[str | None] = []
        with part.open("rb") as lines:
            for line, text in zip_longest(lines, slots.sources()):
                if line is None or json.loads(line)[0] != text:
                    raise OtherRunError(
                        f"{source} has changed while it was translated: begin anew with --restart"
                    )
                translations.append(json.loads(line)[1])
        data = slots.filled(translations)
        with output.open("wb") as file:
            if packed.lower() in SUFFIXES:
                with compressor(file, packed) as stream:
                    stream.write(data)
            else:
                file.write(data)

    def _open(self, path: Path) -> Slots:
        with reading(path) as stream:
            data = stream.read()
        try:
            return self._kind(data)
        except ValueError as fault:
            reason = str(fault).partition("\n")[0]
            raise InputFileError(f"{path}: is no .{self.name} document: {reason}") from fault


def _unit(text: str | None) -> Unit:
    """Return the unit of a slot."""
    raw = b"" if text is None else text.encode(errors="surrogatepass")
    core = _CORE.fullmatch(text or "")
    if text is None or core is None or not core[1]:
        return Unit(raw, None, lambda _: _line(text, None))
    lead, trail = text[: core.start(1)], text[core.end(1) :]
    return Unit(raw, core[1], partial(_filled, text, lead, trail))


def _filled(source: str, lead: str, trail: str, text: str | None) -> bytes:
    return _line(source, None if text is None else lead + text + trail)


def _line(source: str | None, text: str | None) -> bytes:
    return json.dumps([source, text]).encode() + b"\n"
