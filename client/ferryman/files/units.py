"""Units: what a file consists of for the translator, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a unit cannot be translated, found before any server was asked."""

    reason: str
    """Stable name, as ``NOT_UTF8``."""
    message: str
    """The same in words."""


@dataclass(frozen=True, slots=True)
class Unit:
    """One text of a file, or something between texts that is copied.

    A text that is blank is not sent: its translation is itself.
    """

    raw: bytes
    """What the file has there: it tells whether a file is still the one that it was."""
    text: str | None
    """What to translate; None where there is nothing to."""
    render: Callable[[str | None], bytes]
    """Makes the bytes of the output of a translation; None stands for a text that has none."""
    fault: Fault | None = None
    """Why there is no text though there should be one."""

    @property
    def sent(self) -> bool:
        """Whether a server is asked about it."""
        return self.text is not None and not self.text.isspace() and self.text != ""

    @property
    def unchanged(self) -> bytes:
        """The bytes of the output where nothing was asked."""
        return self.render(self.text)


class Format(Protocol):
    """How files of one kind are taken apart and put together."""

    name: str
    """As ``txt``; part of what a run is known by."""
    settings: dict[str, str]
    """Everything besides the name that the output depends on."""
    noun: str
    """What a unit is called, as ``line``."""

    def units(self, source: Path) -> Generator[Unit, None, None]:
        """Yield the units of a file, in order; no more of it is in memory than needed.

        Raises:
            InputFileError: It cannot be read to its end.
        """

    def translated_units(self, output: Path) -> Generator[Unit, None, None]:
        """Yield the units of an output of this format: their text is the translation."""

    def is_assembled(self, output: Path) -> bool:
        """Tell whether the rendered units, one after the other, are the output already."""

    def assemble(self, source: Path, part: Path, output: Path, *, packed: str) -> None:
        """Make the output of the rendered units.

        Args:
            source: The file that the units are of.
            part: What all units rendered to, in order.
            output: File to write.
            packed: Suffix of the name that it will have, which says how to compress it.
        """
