"""Markdown (.md): the text of paragraphs, headings, lists and tables; code and links stay."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from markdown_it import MarkdownIt
from markdown_it.token import Token

from ferryman.documents.document import Translations
from ferryman.documents.subtitles import divided

_FRONT_MATTER = re.compile(r"\ufeff?---[ \t]*\n.*?\n---[ \t]*(?:\n|\Z)", re.DOTALL)
_SPECIAL = re.compile(r"([\\`*_\[\]<>|~])")
_BLOCK_START = re.compile(r"(?=[-+#>=])|(?<=\d)(?=[.)](\s|$))")
_BLOCK = re.compile(r"[-+#>](\s|$)|\d{1,9}[.)](\s|$)|#{1,6}(\s|$)|[-=]+\s*$|>")

Range = tuple[int, int]
"""Where something begins and ends in the document."""


class Markdown:
    """A document in CommonMark, with tables.

    Each run of text between inline markup is a text of its own, over the ends of lines; it is
    divided into as many lines again.

    Args:
        data: The file, in UTF-8.

    Raises:
        ValueError: It is not UTF-8.
    """

    def __init__(self, data: bytes) -> None:
        self._text = data.decode()
        front = _FRONT_MATTER.match(self._text)
        self._begin = front.end() if front else 0
        self._slots = list(self._runs())

    def sources(self) -> list[str | None]:
        """Return the runs of text."""
        return [" ".join(self._text[begin:end] for begin, end in slot) for slot in self._slots]

    targets = sources

    def filled(self, translations: Translations) -> bytes:
        """Return the document with translations."""
        parts, at = list[str](), 0
        for slot, translation in zip(self._slots, translations, strict=True):
            if translation is None:
                continue
            for (begin, end), text in _placed(slot, translation):
                parts.append(self._text[at:begin])
                parts.append(_escaped(text, self._text[begin:end]))
                at = end
        return "".join([*parts, self._text[at:]]).encode()

    def _runs(self) -> Iterator[list[Range]]:
        body = self._text[self._begin :]
        starts = [self._begin]
        for line in body.split("\n"):
            starts.append(starts[-1] + len(line) + 1)
        at = self._begin
        for token in MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(body):
            if token.type == "inline" and token.map is not None:
                end = min(starts[min(token.map[1], len(starts) - 1)], len(self._text))
                inline = _Inline(self._text, max(at, starts[token.map[0]]), end)
                yield from inline.runs(token.children or ())
                at = inline.at


def _placed(slot: list[Range], translation: str) -> Iterator[tuple[Range, str]]:
    """Yield what to write where."""
    lines = divided(translation, len(slot)) if len(slot) > 1 else [translation]
    if len(lines) == len(slot):
        if len(slot) > 1:  # the space before a link, say, which dividing takes away
            lines[0] = translation[: len(translation) - len(translation.lstrip())] + lines[0]
            lines[-1] += translation[len(translation.rstrip()) :]
        yield from zip(slot, lines, strict=True)
    else:  # too few words for as many lines
        yield (slot[0][0], slot[-1][1]), translation


class _Inline:
    """Finds the parts of a paragraph in the document; markdown-it says what they are, in order.

    Args:
        text: The document.
        at: Where the paragraph begins.
        end: Where it ends.
    """

    def __init__(self, text: str, at: int, end: int) -> None:
        self._text = text
        self.at = at
        self._end = end

    def runs(self, tokens: Iterable[Token]) -> Iterator[list[Range]]:
        """Yield the runs of text, each in as many parts as it has lines."""
        run: list[Range] = []
        automatic = goes_on = False
        for token in tokens:
            place = self._pass(token)
            automatic = token.info == "auto" if token.type.startswith("link_") else automatic
            if token.type == "text" and place and token.content.strip() and not automatic:
                if run and not goes_on:
                    yield run
                    run = []
                run.append(place)
                goes_on = False
            elif token.type == "softbreak":
                goes_on = bool(run)
            elif token.type != "text" or token.content:
                goes_on = False
                if run:
                    yield run
                run = []
        if run:
            yield run

    def _pass(self, token: Token) -> Range | None:
        """Move behind a part, and return where it is."""
        match token.type:
            case "text" | "code_inline" | "html_inline":
                return self._find(token.content)
            case "text_special":  # an escape or a character reference
                return self._find(token.markup)
            case "image":
                self._find(token.content)
                self._pass_destination()
            case "link_close" if token.info != "auto":
                self._pass_destination()
        return None

    def _find(self, wanted: str) -> Range | None:
        place = self._text.find(wanted, self.at, self._end) if wanted else -1
        if place < 0:
            return None
        self.at = place + len(wanted)
        return place, self.at

    def _pass_destination(self) -> None:
        """Move behind ``](destination "title")``, ``][reference]`` or ``]``."""
        bracket = self._text.find("]", self.at, self._end)
        if bracket < 0:
            return
        self.at = bracket + 1
        follows = self._text[self.at : self.at + 1]
        if follows == "[":
            self.at = max(self.at, self._text.find("]", self.at, self._end) + 1)
        elif follows == "(":
            depth = 0
            for place in range(self.at, self._end):
                depth += {"(": 1, ")": -1}.get(self._text[place], 0)
                if depth == 0:
                    self.at = place + 1
                    return


def _escaped(translation: str, source: str) -> str:
    """Return a translation in which no character means what it did not mean in the source."""
    line = " ".join(translation.split("\n"))
    line = _SPECIAL.sub(lambda found: found[1] if found[1] in source else "\\" + found[1], line)
    if _BLOCK.match(line) and not _BLOCK.match(source):
        line = _BLOCK_START.sub("\\\\", line, count=1)
    return line
