"""The blocks of an HTML document, by the tokeniser of the standard library.

Nothing is serialised anew: blocks have their places in the document, so what is not translated
stays as it is to the byte, quotation marks and mistakes included.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from html.parser import HTMLParser
from itertools import accumulate
from typing import Final, NamedTuple

from ferryman_server.markup.block import Block, Item, Part, make_block
from ferryman_server.text.sentences import has_words
from ferryman_server.text.span import Span

_INLINE: Final = re.compile(
    r"(?:a|abbr|acronym|b|bdi|bdo|big|cite|data|del|dfn|em|font|i|ins|label|mark|q|ruby|s|small|span"
    r"|strike|strong|sub|sup|time|u)\Z"
)
"""Elements within running text."""
_VOID: Final = re.compile(
    r"(?:area|base|br|col|embed|hr|img|input|link|meta|param|source|track|wbr)\Z"
)
"""Elements without an end."""
_INLINE_VOID: Final = re.compile(r"(?:img|input|wbr)\Z")
_INLINE_CODE: Final = re.compile(
    r"(?:applet|audio|canvas|code|iframe|kbd|math|object|samp|svg|tt|var|video)\Z"
)
"""Elements whose content is no text, or not ours, within running text."""
_BLOCK_CODE: Final = re.compile(
    r"(?:noembed|noscript|plaintext|pre|script|style|template|textarea|xmp)\Z"
)
"""The same that end it."""


# The methods of the tokeniser are called with arguments that their places stand for.
# ruff: noqa: ARG002


class _Event(NamedTuple):
    start: int
    kind: str
    """``start``, ``end``, ``data``, ``entity`` or ``other``."""
    tag: str = ""
    text: str = ""
    is_foreign: bool = False
    """Whether its author asks that it is not translated."""


class _Tokeniser(HTMLParser):
    """Tells where everything in a document begins."""

    def __init__(self, document: str) -> None:
        super().__init__(convert_charrefs=False)
        lengths = (len(line) + 1 for line in document.split("\n"))
        self._lines = [0, *accumulate(lengths)]
        self.events: list[_Event] = []
        self.feed(document)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a start tag."""
        values = dict(attrs)
        classes = (values.get("class") or "").split()
        foreign = (values.get("translate") or "").lower() == "no" or "notranslate" in classes
        self._note("start", tag, "", is_foreign=foreign)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a start tag that closes itself; HTML takes that for a start tag, SVG does not."""
        if _VOID.match(tag):
            self.handle_starttag(tag, attrs)
        else:
            self._note("other")

    def handle_endtag(self, tag: str) -> None:
        """Note an end tag."""
        self._note("end", tag)

    def handle_data(self, data: str) -> None:
        """Note text."""
        self._note("data", "", data)

    def handle_entityref(self, name: str) -> None:
        """Note an entity by name."""
        self._note("entity")

    def handle_charref(self, name: str) -> None:
        """Note an entity by number."""
        self._note("entity")

    def handle_comment(self, data: str) -> None:
        """Note a comment."""
        self._note("other")

    def handle_decl(self, decl: str) -> None:
        """Note a declaration."""
        self._note("other")

    def handle_pi(self, data: str) -> None:
        """Note a processing instruction."""
        self._note("other")

    def unknown_decl(self, data: str) -> None:
        """Note what only looks like a declaration."""
        self._note("other")

    def _note(self, kind: str, tag: str = "", text: str = "", *, is_foreign: bool = False) -> None:
        line, column = self.getpos()
        self.events.append(_Event(self._lines[line - 1] + column, kind, tag, text, is_foreign))


def html_blocks(document: str, attributes: Sequence[str] = ()) -> list[Block]:
    """Return the blocks of an HTML document, in order; those of attributes come last.

    Args:
        document: A page or a fragment.
        attributes: Names of the attributes whose values are translated.
    """
    events = _Tokeniser(document).events
    blocks: list[Block] = []
    items: list[Item] = []
    values: list[Block] = []
    ends = [*(event.start for event in events[1:]), len(document)]
    number = 0
    while number < len(events):
        event = events[number]
        last = _last_of_code(events, number)
        span = Span(event.start, ends[last])
        if attributes and event.kind == "start":
            values += _attribute_values(document, Span(event.start, ends[number]), attributes)
        item = _item(document, event, span)
        if item is not None:
            items.append(item)
        else:
            blocks += _made(document, items)
            items = []
        number = last + 1
    blocks += _made(document, items)
    return blocks + values


def _made(document: str, items: Sequence[Item]) -> Iterator[Block]:
    block = make_block(document, items)
    if block is not None:
        yield block


def _item(document: str, event: _Event, span: Span) -> Item | None:
    """Return what an event is in running text; None where it ends that."""
    raw = span.of(document)
    if event.kind in ("data", "entity"):
        return Item(Part.TEXT, span, html.unescape(raw))
    if event.kind == "other":
        return Item(Part.OPAQUE, span)
    if _INLINE_CODE.match(event.tag) or _INLINE_VOID.match(event.tag):
        return Item(Part.OPAQUE, span)
    if _INLINE.match(event.tag):
        if event.is_foreign:
            return Item(Part.OPAQUE, span)
        part = Part.OPEN if event.kind == "start" else Part.CLOSE
        return Item(part, span, name=event.tag)
    return None


def _last_of_code(events: Sequence[_Event], number: int) -> int:
    """Return the number of the last event of an element that is left alone; itself of others."""
    event = events[number]
    if event.kind != "start" or _VOID.match(event.tag):
        return number
    is_code = _INLINE_CODE.match(event.tag) or _BLOCK_CODE.match(event.tag)
    if not is_code and not event.is_foreign:
        return number
    depth = 0
    for place in range(number, len(events)):
        if events[place].tag == event.tag:
            depth += {"start": 1, "end": -1}.get(events[place].kind, 0)
            if depth == 0:
                return place
    return len(events) - 1


def _attribute_values(document: str, tag: Span, names: Sequence[str]) -> Iterator[Block]:
    alternatives = "|".join(re.escape(name) for name in names)
    pattern = re.compile(rf"(?i)\s(?:{alternatives})\s*=\s*(?:\"([^\"]*)\"|'([^']*)')", re.ASCII)
    for match in pattern.finditer(document, *tag):
        group = 1 if match[1] is not None else 2
        text = html.unescape(match[group])
        if has_words(text):
            yield Block(Span(*match.span(group)), text, is_attribute=True)


def escape_text(text: str) -> str:
    """Return plain text as text of an HTML document."""
    return html.escape(text, quote=False).replace("\u00a0", "&nbsp;")


def escape_value(text: str) -> str:
    """Return plain text as the value of an attribute, whichever quotation marks are around it."""
    return html.escape(text, quote=True).replace("\u00a0", "&nbsp;")
