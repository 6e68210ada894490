"""Manual pages as blocks: the text of roff's ``man`` and ``mdoc`` macros, without the macros.

No roff interpreter: lines of macros separate blocks or are set into the text, and escapes become
the characters that they stand for.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from typing import Final

from ferryman_training.debian.block import Block, one_line

_HEADINGS: Final = {"SH": "h1", "SS": "h2", "Sh": "h1", "Ss": "h2"}
_BREAKS: Final = frozenset({
    "PP", "P", "LP", "TP", "IP", "HP", "RS", "RE", "br", "sp", "nf", "fi", "EX", "EE", "TQ",
    "Pp", "It", "Bl", "El", "Bd", "Ed", "TH", "Dd", "Dt", "Os", "ti", "in", "ad", "UR", "UE",
})  # fmt: skip
_FONTS: Final = frozenset({
    "B", "I", "BR", "RB", "BI", "IB", "IR", "RI", "SM", "SB", "R",
})  # fmt: skip
_JOINED: Final = frozenset({
    "BR", "RB", "BI", "IB", "IR", "RI",
})  # fmt: skip
"""Macros that set their arguments without spaces, in alternating fonts."""
_VERBATIM: Final = {"nf": "fi", "EX": "EE", "Bd": "Ed", "TS": "TE", "EQ": "EN", "ig": "."}
"""Macros that begin text that is no sentence, and those that end it."""

_ESCAPES: Final = [
    (re.compile(r"\\f(?:\[[^\]]*\]|\([A-Za-z]{2}|.)"), ""),  # fonts
    (re.compile(r"\\s[-+]?\d+"), ""),  # sizes
    (re.compile(r"\\m\[[^\]]*\]|\\[&|^%/,:)]|\\\*\(..|\\\*\[[^\]]*\]"), ""),
    (re.compile(r"\\\(aq|\\\[aq\]|\\'"), "'"),
    (re.compile(r"\\\(dq|\\\[dq\]"), '"'),
    (re.compile(r"\\\(en|\\\[en\]"), "–"),
    (re.compile(r"\\\(em|\\\[em\]"), "—"),
    (re.compile(r"\\\(co|\\\[co\]"), "©"),
    (re.compile(r"\\\(bu|\\\[bu\]"), "•"),
    (re.compile(r"\\\(lq|\\\[lq\]"), "“"),
    (re.compile(r"\\\(rq|\\\[rq\]"), "”"),
    (re.compile(r"\\\(oq|\\\[oq\]"), "‘"),
    (re.compile(r"\\\(cq|\\\[cq\]"), "’"),
    (re.compile(r"\\\(Fo|\\\[Fo\]"), "«"),
    (re.compile(r"\\\(Fc|\\\[Fc\]"), "»"),
    (re.compile(r"\\\(ti|\\\[ti\]"), "~"),
    (re.compile(r"\\\(ha|\\\[ha\]"), "^"),
    (re.compile(r"\\\(ga|\\\[ga\]"), "`"),
    (re.compile(r"\\\(rs|\\\[rs\]|\\e"), r"\\"),
    (re.compile(r"\\\(<=|\\\[<=\]"), "≤"),
    (re.compile(r"\\\(>=|\\\[>=\]"), "≥"),
    (re.compile(r"\\-"), "-"),
    (re.compile(r"\\[~ 0]"), " "),
    (re.compile(r"\\c$"), ""),
]
_UNKNOWN: Final = re.compile(r"\\(?:\(..|\[[^\]]*\]|.)")
_COMMENT: Final = re.compile(r"\\[\"#].*$")


def manual_blocks(content: bytes) -> list[Block]:
    """Return the blocks of a manual page; a page of another encoding than UTF-8 has none."""
    try:
        lines = content.decode("utf-8").split("\n")
    except UnicodeDecodeError:
        return []
    return [block for block in _blocks(lines) if block.text]


def _blocks(lines: list[str]) -> Iterator[Block]:
    waiting: list[str] = []
    tag, until = "p", None
    for line in lines:
        macro, arguments = _macro(line)
        if until is not None:
            until = None if macro == until else until
            continue
        if macro is None:
            waiting.append(_plain(line))
        elif macro in _FONTS:
            waiting.append(("" if macro in _JOINED else " ").join(arguments))
        elif macro in _HEADINGS or macro in _BREAKS or macro in _VERBATIM:
            yield Block(tag, one_line(" ".join(waiting)))
            waiting = []
            until = _VERBATIM.get(macro)
            tag = {"TP": "dt", "TQ": "dt", "IP": "li", "It": "li"}.get(macro, "p")
            if macro in _HEADINGS:
                yield Block(_HEADINGS[macro], one_line(" ".join(arguments)))
        if macro is None or macro in _FONTS:
            if tag == "dt":  # the tag of a list is the one line after its macro
                yield Block(tag, one_line(" ".join(waiting)))
                waiting, tag = [], "dd"
            if not line.strip():
                yield Block(tag, one_line(" ".join(waiting)))
                waiting = []
    yield Block(tag, one_line(" ".join(waiting)))


def _macro(line: str) -> tuple[str | None, list[str]]:
    """Return the macro of a line with its arguments as plain text, or None for a line of text."""
    if not line.startswith((".", "'")):
        return None, []
    name, _, rest = line[1:].lstrip(" \t").partition(" ")
    if name.startswith(('\\"', "\\#")):
        return "", []
    rest = _COMMENT.sub("", rest)
    try:
        arguments = shlex.split(rest.replace("\\", "\\\\").replace("'", "\\'"))
    except ValueError:
        arguments = rest.replace('"', "").split()
    return name, [_plain(argument) for argument in arguments]


def _plain(text: str) -> str:
    """Return a text with its escapes as the characters that they stand for."""
    text = _COMMENT.sub("", text)
    for pattern, replacement in _ESCAPES:
        text = pattern.sub(replacement, text)
    return _UNKNOWN.sub("", text) if "\\(" in text or "\\[" in text else text
