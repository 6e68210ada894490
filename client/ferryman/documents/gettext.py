"""gettext catalogues (.po, .pot): messages without a translation are given one."""

from __future__ import annotations

import re
from typing import NamedTuple

import polib

from ferryman.documents.document import Translations
from ferryman.files.placeholders import placeholders_of

_PLURALS = re.compile(r"nplurals\s*=\s*(\d+)")
_TWO_FORMS = 2


class Slot(NamedTuple):
    """One msgstr."""

    entry: polib.POEntry
    form: int | None
    """Which plural form; None where the message has none."""

    @property
    def source(self) -> str:
        """The message."""
        text = self.entry.msgid if not self.form else self.entry.msgid_plural
        return str(text)

    @property
    def target(self) -> str:
        """Its translation."""
        if self.form is None:
            return str(self.entry.msgstr)
        return str(self.entry.msgstr_plural.get(self.form, ""))

    def fill(self, text: str) -> None:
        """Set the translation."""
        if self.form is None:
            self.entry.msgstr = text
        else:
            self.entry.msgstr_plural[self.form] = text


class Catalogue:
    """A catalogue. What is translated already, fuzzy or obsolete stays as it is.

    A translation without the placeholders of its message is marked fuzzy, so that no program uses
    it before somebody has looked.

    Args:
        data: The file.

    Raises:
        ValueError: It is not UTF-8, or no catalogue.
    """

    def __init__(self, data: bytes) -> None:
        try:
            self._file = polib.pofile(data.decode(), wrapwidth=_width_of(data))
        except (OSError, IndexError) as fault:  # so polib says what is no catalogue
            raise ValueError(str(fault)) from fault
        plurals = _PLURALS.search(self._file.metadata.get("Plural-Forms", ""))
        self._forms = int(plurals[1]) if plurals else _TWO_FORMS
        self._slots = [
            slot for entry in self._file if not entry.obsolete for slot in self._of(entry)
        ]

    def sources(self) -> list[str | None]:
        """Return the messages that have no translation."""
        return [None if slot.target or slot.entry.fuzzy else slot.source for slot in self._slots]

    def targets(self) -> list[str | None]:
        """Return the translations."""
        return [slot.target for slot in self._slots]

    def filled(self, translations: Translations) -> bytes:
        """Return the catalogue with the translations."""
        for slot, translation in zip(self._slots, translations, strict=True):
            if translation is None:
                continue
            slot.fill(translation)
            kept = placeholders_of(slot.source) == placeholders_of(translation)
            if _has_format(slot.entry) and not kept and not slot.entry.fuzzy:
                slot.entry.flags.append("fuzzy")
        return (str(self._file).rstrip("\n") + "\n").encode()

    def _of(self, entry: polib.POEntry) -> list[Slot]:
        if not entry.msgid_plural:
            return [Slot(entry, None)]
        return [Slot(entry, form) for form in range(self._forms)]


def _has_format(entry: polib.POEntry) -> bool:
    return any(flag.endswith("-format") and not flag.startswith("no-") for flag in entry.flags)


def _width_of(data: bytes) -> int:
    """Return the width that the lines of a catalogue are broken at, so that they stay."""
    longest = max((len(line.decode()) for line in data.splitlines() if line[:1] == b'"'), default=0)
    return 78 if longest <= 80 else 10_000
