"""HTML pages, Mallard pages and DocBook, as blocks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from lxml import etree, html

from ferryman_training.debian.block import Block, one_line

_HTML_BLOCKS: Final = frozenset({
    "p", "div", "h1", "h2", "h3", "h4", "h5", "h6", "li", "dt", "dd", "td", "th", "caption",
    "title",
})  # fmt: skip
_HTML_SKIPPED: Final = frozenset({
    "head", "script", "style", "pre", "nav", "header", "footer", "aside", "form",
})  # fmt: skip
_XML_BLOCKS: Final = frozenset({
    "p", "title", "para", "simpara", "desc", "td", "entry", "term", "glossterm", "subtitle",
    "attribution", "cite",
})  # fmt: skip
_XML_SKIPPED: Final = frozenset({
    "credit", "license", "revision", "copyright", "authorgroup", "publisher", "legalnotice",
    "screen", "code", "programlisting", "literallayout", "revhistory", "comment",
})  # fmt: skip
_INLINE_SKIPPED: Final = frozenset({"indexterm", "footnote", "script", "sup"})
_MACINTOSH: Final = "MAC"
"""Class of the keys that LibreOffice's help has for a Macintosh, beside those of other machines."""
_SEQUENCES: Final = {"guiseq": " ▸ ", "menuchoice": " ▸ ", "keyseq": "+", "keycombo": "+"}
"""Elements whose parts are shown one after the other, with what stands between them."""
_REFERENCES: Final = frozenset({"link", "xref"})
_UNKNOWN: Final = "\ue000"
"""Stands where a reader sees the title of another page; text with it is no sentence by itself."""


def html_blocks(content: bytes) -> list[Block]:
    """Return the blocks of an HTML page; a page that cannot be parsed has none."""
    try:
        parser = html.HTMLParser(encoding=_encoding(content))
        root = html.document_fromstring(content, parser=parser)
    except (etree.LxmlError, ValueError):
        return []
    return list(_walk(root, _HTML_BLOCKS, _HTML_SKIPPED))


def xml_blocks(content: bytes) -> list[Block]:
    """Return the blocks of a Mallard or DocBook page; one that is not well-formed has none."""
    parser = etree.XMLParser(
        resolve_entities=False, load_dtd=False, no_network=True, recover=True, remove_comments=True
    )
    try:
        root = etree.fromstring(content, parser=parser)
    except (etree.LxmlError, ValueError):
        return []
    return [] if root is None else list(_walk(root, _XML_BLOCKS, _XML_SKIPPED))


def _encoding(content: bytes) -> str:
    """Return the encoding that a page declares, or UTF-8."""
    declared = re.search(rb"charset=[\"']?([\w-]+)", content[:2048])
    return declared[1].decode("ascii") if declared else "utf-8"


def _walk(
    element: etree._Element, blocks: frozenset[str], skipped: frozenset[str]
) -> Iterator[Block]:
    """Yield the text of an element in the order of the page, cut at the blocks inside it.

    So the text of a list item before the paragraphs in it is a block of its own.
    """
    tag, waiting, whole = _tag(element), [element.text or ""], True
    for child in element:
        inside = _tag(child)
        # Inside a paragraph code is a word of the sentence, outside it is a listing.
        is_skipped = inside in skipped and not (inside == "code" and tag in blocks)
        parts = blocks if tag in blocks else blocks | skipped
        if inside in _INLINE_SKIPPED or not inside:
            pass
        elif is_skipped or inside in blocks or _has_any(child, parts):
            yield from _block(tag, waiting, None)
            waiting, whole = [], False
            if not is_skipped:
                yield from _walk(child, blocks, skipped)
        else:
            waiting.extend(_texts(child))
        waiting.append(child.tail or "")
    yield from _block(tag, waiting, element.get("id") if whole else None)


def _block(tag: str, texts: list[str], name: str | None) -> Iterator[Block]:
    text = one_line("".join(texts))
    if text:
        yield Block(tag, text, name)


def _has_any(element: etree._Element, tags: frozenset[str]) -> bool:
    return any(_tag(inner) in tags for inner in element.iterdescendants())


def _texts(element: etree._Element) -> Iterator[str]:
    """Yield the text of an inline element, without what is no part of the sentence."""
    tag = _tag(element)
    if tag == "br":
        yield " "
    elif tag in _REFERENCES and element.text is None and not len(element):
        yield _UNKNOWN
    elif tag in _SEQUENCES:
        yield _SEQUENCES[tag].join("".join(_texts(child)) for child in element if _tag(child))
        return
    yield element.text or ""
    for child in element:
        if _tag(child) and _tag(child) not in _INLINE_SKIPPED and child.get("class") != _MACINTOSH:
            yield from _texts(child)
        yield child.tail or ""


def _tag(element: etree._Element) -> str:
    """Return the name of an element without its namespace; comments and entities have none."""
    return etree.QName(element).localname.lower() if isinstance(element.tag, str) else ""
