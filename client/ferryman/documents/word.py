"""Word documents (.docx): body, headers, footers, notes. Every other part stays, to the byte."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator

from lxml import etree

from ferryman.documents.document import Translations
from ferryman.documents.xml_documents import Element, local_name, parse, serialised

_PARTS = re.compile(r"word/(document|header\d*|footer\d*|footnotes|endnotes)\.xml")
_SPACE = "{http://www.w3.org/XML/1998/namespace}space"
_LARGEST_PART = 1 << 28
"""Bytes; more is no text but a bomb."""

Slot = list[Element]
"""The text elements of runs that follow each other and look the same."""


class WordDocument:
    """A document.

    Runs of text that look the same and follow each other are one text, however often Word has
    divided them; where the look changes, as at a bold word, a new one begins.

    Args:
        data: The file.

    Raises:
        ValueError: It is no .docx.
    """

    def __init__(self, data: bytes) -> None:
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as packed:
                self._members = [(info, _member(packed, info)) for info in packed.infolist()]
        except zipfile.BadZipFile as fault:
            raise ValueError(str(fault)) from fault
        self._trees = {
            info.filename: parse(content)
            for info, content in self._members
            if _PARTS.fullmatch(info.filename)
        }
        if "word/document.xml" not in self._trees:
            raise ValueError("it has no word/document.xml")
        self._slots = [slot for tree in self._trees.values() for slot in _slots(tree.getroot())]

    def sources(self) -> list[str | None]:
        """Return the texts."""
        return ["".join(element.text or "" for element in slot) for slot in self._slots]

    targets = sources

    def filled(self, translations: Translations) -> bytes:
        """Return the document with translations, packed as it was."""
        for (first, *others), translation in zip(self._slots, translations, strict=True):
            if translation is None:
                continue
            first.text = translation
            first.set(_SPACE, "preserve")
            for element in others:
                element.text = ""
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as target:
            for info, content in self._members:
                tree = self._trees.get(info.filename)
                target.writestr(info, content if tree is None else serialised(tree))
        return packed.getvalue()


def _member(packed: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    if info.file_size > _LARGEST_PART:
        raise ValueError(f"{info.filename} has {info.file_size} bytes")
    return packed.read(info)


def _slots(root: Element) -> Iterator[Slot]:
    for paragraph in root.iter():
        if local_name(paragraph) != "p":
            continue
        slot, look = Slot(), None
        for run in _runs(paragraph):
            elements, new_look = _texts(run), _look(run)
            if slot and (new_look != look or not elements):
                yield slot
                slot = []
            slot, look = slot + elements, new_look
        if slot:
            yield slot


def _runs(element: Element) -> Iterator[Element]:
    """Yield the runs of a paragraph, those of links among them, but not those of boxes in it."""
    for child in element:
        name = local_name(child)
        if name == "r":
            yield child
        elif name in {"hyperlink", "ins", "smartTag", "sdt", "sdtContent", "fldSimple"}:
            yield from _runs(child)


def _texts(run: Element) -> list[Element]:
    """Return the text elements of a run; none where it holds something else besides, as a tab."""
    inside = [child for child in run if local_name(child) != "rPr"]
    if any(local_name(child) != "t" for child in inside):
        return []
    return inside


def _look(run: Element) -> tuple[Element, bytes]:
    """Return what tells the look of a run, and the link that it is in, from others."""
    properties = next((child for child in run if local_name(child) == "rPr"), None)
    looks = b"" if properties is None else etree.tostring(properties, method="c14n")
    return run.getparent(), looks
