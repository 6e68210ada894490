"""Messages of programs with their translations: gettext catalogues and MediaWiki's JSON."""

from __future__ import annotations

import html
import json
import re
import struct
import tempfile
from collections.abc import Iterator
from typing import Final

import polib

from ferryman_training.corpus import SentencePair

_ACCELERATOR: Final = re.compile(r"(?:(?<=\W)|^)[_&~](?=\w)|(?<=\w)[_&~](?=\w)")
"""What marks the letter that chooses a menu item: ``_File``, ``E&xit``, ``~Open``."""
_HIDDEN_CONTEXT: Final = re.compile(r"^[\w ]+\^")
"""What Wesnoth puts before a message to tell it from another one, as in ``unit^Elf``."""


def gettext_pairs(content: bytes) -> Iterator[SentencePair]:
    """Yield the messages of a compiled catalogue; one that is damaged has none."""
    with tempfile.NamedTemporaryFile(suffix=".mo") as file:
        file.write(content)
        file.flush()
        try:
            catalogue = polib.mofile(file.name)
        except (OSError, ValueError, LookupError, struct.error):
            return
    for entry in catalogue:
        forms = [(entry.msgid, entry.msgstr)]
        if entry.msgid_plural:
            plural = entry.msgstr_plural
            forms = [(entry.msgid, plural.get(0, "")), (entry.msgid_plural, plural.get(1, ""))]
        for source, target in forms:
            yield SentencePair(_message(_HIDDEN_CONTEXT.sub("", source)), _message(target))


def json_pairs(source: bytes, target: bytes) -> Iterator[SentencePair]:
    """Yield the messages that two files of MediaWiki have under the same key."""
    try:
        english, other = json.loads(source), json.loads(target)
    except ValueError:
        return
    if not isinstance(english, dict) or not isinstance(other, dict):
        return
    for key, text in english.items():
        if isinstance(text, str) and isinstance(other.get(key), str):
            yield SentencePair(text, other[key])


def _message(text: str) -> str:
    """Return a message as it is shown."""
    return _ACCELERATOR.sub("", html.unescape(text))
