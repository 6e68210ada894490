"""Descriptions of packages with their translations, from the indexes ``i18n/Translation-*``.

They are joined by the digest of the English text, so a translation of an older one is not taken.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from ferryman_training.debian.block import Block, one_line
from ferryman_training.debian.mirror import stanzas

_ITEM: Final = re.compile(r"^\s*(?:[*+o·•-]|--|\d+[.)])\s+")


def described(index: str, language: str) -> dict[str, str]:
    """Return the descriptions of an index, by the digest of the English one."""
    field = f"Description-{language}"
    return {
        stanza["Description-md5"]: stanza[field]
        for stanza in stanzas(index)
        if field in stanza and "Description-md5" in stanza
    }


def description_blocks(description: str) -> Iterator[Block]:
    """Yield the synopsis, the paragraphs and the list items of a description.

    https://www.debian.org/doc/debian-policy/ch-controlfields.html#description: a line with a dot
    divides paragraphs, and lines that begin with more than one space are set as they are.
    """
    synopsis, *lines = description.split("\n")
    yield Block("h1", one_line(synopsis))
    tag, waiting = "p", list[str]()
    for line in lines:
        text = line.removeprefix(" ")
        item, divider = _ITEM.match(text), text.strip() == "."
        verbatim = text.startswith(" ") and not item and tag == "p"
        if item or divider or verbatim:
            yield Block(tag, one_line(" ".join(waiting)))
            tag, waiting = ("li" if item else "p"), []
        if not divider and not verbatim:
            waiting.append(_ITEM.sub("", text))
    yield Block(tag, one_line(" ".join(waiting)))
