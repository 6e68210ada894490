"""XLIFF 1.2 and 2: each source without a target is given one."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import NamedTuple

from lxml import etree

from ferryman.documents.document import Translations
from ferryman.documents.xml_documents import Element, local_name, parse, serialised

_UNITS = {"trans-unit", "segment"}
_BEFORE_TARGET = {"source", "seg-source"}
_CODES = {"ph", "bpt", "ept", "it", "x", "bx", "ex", "sc", "ec", "cp"}
"""Inline elements whose text, if they have one, is code."""


class Place(NamedTuple):
    """A run of text: the text of an element, or what follows one inside the same segment."""

    element: Element
    follows: bool

    @property
    def text(self) -> str | None:
        """The text."""
        found = self.element.tail if self.follows else self.element.text
        return None if found is None else str(found)

    def fill(self, text: str) -> None:
        """Set the text."""
        if self.follows:
            self.element.tail = text
        else:
            self.element.text = text


class Xliff:
    """An XLIFF document. What has a target stays as it is, as does what says translate="no".

    Inline elements stay where they are among the runs of text; each run is a text of its own.

    Args:
        data: The file.

    Raises:
        ValueError: It is no XLIFF.
    """

    def __init__(self, data: bytes) -> None:
        self._tree = parse(data)
        root = self._tree.getroot()
        if local_name(root) != "xliff":
            raise ValueError(f"its root is {local_name(root)}, not xliff")
        self._units = [each for each in root.iter() if local_name(each) in _UNITS]

    def sources(self) -> list[str | None]:
        """Return the runs of all sources without a target."""
        return [
            place.text if self._is_open(unit) else None
            for unit in self._units
            for place in _runs(_child(unit, "source"))
        ]

    def targets(self) -> list[str | None]:
        """Return the runs of all targets, as many for each unit as its source has."""
        found: list[str | None] = []
        for unit in self._units:
            wanted = len(list(_runs(_child(unit, "source"))))
            runs = [place.text for place in _runs(_child(unit, "target"))]
            found += (runs + [None] * wanted)[:wanted]
        return found

    def filled(self, translations: Translations) -> bytes:
        """Return the document with targets."""
        rest = iter(translations)
        for unit in self._units:
            source = _child(unit, "source")
            texts = [next(rest) for _ in _runs(source)]
            if source is None or not self._is_open(unit) or all(text is None for text in texts):
                continue
            for place, text in zip(_runs(_new_target(unit, source)), texts, strict=True):
                if text is not None:
                    place.fill(text)
        return serialised(self._tree)

    def _is_open(self, unit: Element) -> bool:
        """Tell whether a unit is to be translated."""
        target = _child(unit, "target")
        if target is not None and (len(target) or (target.text or "").strip()):
            return False
        said = next(
            (
                each.get("translate")
                for each in (unit, *unit.iterancestors())
                if each.get("translate")
            ),
            "yes",
        )
        return bool(said == "yes")


def _child(unit: Element, name: str) -> Element | None:
    return next((child for child in unit if local_name(child) == name), None)


def _runs(element: Element | None) -> Iterator[Place]:
    """Yield the runs of text of a segment, whether empty or not."""
    if element is None:
        return
    if local_name(element) not in _CODES:
        yield Place(element, follows=False)
    for child in element:
        if local_name(child) not in _CODES and local_name(child):
            yield from _runs(child)
        yield Place(child, follows=True)


def _new_target(unit: Element, source: Element) -> Element:
    """Put a copy of the source where the target belongs, and return it."""
    if (old := _child(unit, "target")) is not None:
        attributes, tail = dict(old.attrib), old.tail
        unit.remove(old)
    else:
        attributes, tail = {}, None
    target = copy.deepcopy(source)
    target.tag = f"{{{etree.QName(source).namespace}}}target" if "}" in source.tag else "target"
    for name in list(target.attrib):
        del target.attrib[name]
    target.attrib.update(attributes)
    last = [child for child in unit if local_name(child) in _BEFORE_TARGET][-1]
    last.addnext(target)
    target.tail = tail if tail is not None else last.tail
    return target
