"""Blocks: a document as its paragraphs, headings and list items, in order."""

from __future__ import annotations

import re
from dataclasses import dataclass

_SPACE = re.compile(r"[ \t\r\n\f\v\u00a0\u202f\u2009]+")


@dataclass(frozen=True, slots=True)
class Block:
    """A piece of text that a translator saw as one."""

    tag: str
    """What it is: ``p``, ``h2``, ``li``."""
    text: str
    """On one line."""
    name: str | None = None
    """What the document calls it, the same in every language; most blocks have none."""


def one_line(text: str) -> str:
    """Return a text with every run of spaces and breaks as one space, and none at its ends."""
    return _SPACE.sub(" ", text).strip()
