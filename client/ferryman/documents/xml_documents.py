"""XML as documents have it: read without entities or network, written as it was declared."""

from __future__ import annotations

from typing import Any

from lxml import etree

Element = Any
"""An element of lxml, which has no types."""


def parse(data: bytes) -> Any:
    """Return the tree of a document.

    Raises:
        ValueError: It is no well-formed XML.
    """
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, remove_blank_text=False,
        strip_cdata=False,
    )  # fmt: skip
    try:
        return etree.fromstring(data, parser).getroottree()
    except etree.XMLSyntaxError as fault:
        raise ValueError(str(fault)) from fault


def serialised(tree: Any) -> bytes:
    """Return the document of a tree, in the encoding and with the declaration that it had."""
    info = tree.docinfo
    data: bytes = etree.tostring(
        tree,
        encoding=info.encoding or "UTF-8",
        xml_declaration=True,
        standalone=info.standalone,
        doctype=info.doctype or None,
    )
    return data


def local_name(element: Element) -> str:
    """Return the name of an element without its namespace; empty for comments and the like."""
    tag = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""
