"""HTML pages: the text between tags. Every tag, comment and space stays, to the byte."""

from __future__ import annotations

import html
from html.parser import HTMLParser
from itertools import pairwise

from ferryman.documents.document import Translations

_NOT_SPOKEN = {"script", "style", "code", "pre", "kbd", "samp", "var", "textarea", "svg", "math"}
_VOID = {
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source",
    "track", "wbr",
}  # fmt: skip


class _Scanner(HTMLParser):
    """Notes where each event begins, and whether it is text that is to be translated."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=False)
        self.events: list[tuple[int, bool]] = []
        self._starts = [0]
        for line in text.split("\n"):
            self._starts.append(self._starts[-1] + len(line) + 1)
        self._quiet: list[str] = []
        """Open elements from the first on whose text stays as it is."""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._note(text=False)
        kept = tag in _NOT_SPOKEN or ("translate", "no") in attrs
        if tag not in _VOID and (kept or self._quiet):
            self._quiet.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002
        self._note(text=False)

    def handle_endtag(self, tag: str) -> None:
        self._note(text=False)
        if tag in self._quiet:
            while self._quiet.pop() != tag:
                pass

    def handle_data(self, data: str) -> None:  # noqa: ARG002
        self._note(text=not self._quiet)

    def handle_entityref(self, name: str) -> None:  # noqa: ARG002
        self._note(text=not self._quiet)

    def handle_charref(self, name: str) -> None:  # noqa: ARG002
        self._note(text=not self._quiet)

    def handle_comment(self, data: str) -> None:  # noqa: ARG002
        self._note(text=False)

    def handle_decl(self, decl: str) -> None:  # noqa: ARG002
        self._note(text=False)

    def handle_pi(self, data: str) -> None:  # noqa: ARG002
        self._note(text=False)

    def unknown_decl(self, data: str) -> None:  # noqa: ARG002
        self._note(text=False)

    def _note(self, *, text: bool) -> None:
        line, column = self.getpos()
        self.events.append((self._starts[line - 1] + column, text))


class HtmlPage:
    """A page, or a part of one.

    Each run of text between two tags is a text of its own. Programs, styles and code stay, and what
    says translate="no"; attributes stay too.

    Args:
        data: The file, in UTF-8.

    Raises:
        ValueError: It is not UTF-8.
    """

    def __init__(self, data: bytes) -> None:
        self._text = data.decode()
        events = [*_Scanner(self._text).events, (len(self._text), False)]
        self._slots: list[tuple[int, int]] = []
        for (begin, is_text), (end, _) in pairwise(events):
            if not is_text:
                continue
            if self._slots and self._slots[-1][1] == begin:  # a character reference inside a text
                self._slots[-1] = (self._slots[-1][0], end)
            else:
                self._slots.append((begin, end))

    def sources(self) -> list[str | None]:
        """Return the runs of text."""
        return [html.unescape(self._text[begin:end]) for begin, end in self._slots]

    targets = sources

    def filled(self, translations: Translations) -> bytes:
        """Return the page with translations."""
        parts, at = list[str](), 0
        for (begin, end), translation in zip(self._slots, translations, strict=True):
            parts.append(self._text[at:begin])
            written = None if translation is None else html.escape(translation, quote=False)
            parts.append(self._text[begin:end] if written is None else written)
            at = end
        return "".join([*parts, self._text[at:]]).encode()
