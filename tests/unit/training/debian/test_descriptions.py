"""Descriptions of packages, joined by the digest of the English one."""

from __future__ import annotations

from ferryman_training.debian.descriptions import described, description_blocks

INDEX = """Package: a
Description-md5: 11
Description-en: short one
 First line
 and its end.
 .
 Second paragraph:
  * an item
    that goes on
  * another
 .
  set as it is
 Last.

Package: b
Description-md5: 22
Description-fr: en français
"""


def test_descriptions_are_found_by_digest_and_language():
    assert list(described(INDEX, "en")) == ["11"]
    assert described(INDEX, "fr") == {"22": "en français"}


def test_a_description_is_its_synopsis_paragraphs_and_items():
    [text] = described(INDEX, "en").values()
    found = [(b.tag, b.text) for b in description_blocks(text) if b.text]
    assert found == [
        ("h1", "short one"),
        ("p", "First line and its end."),
        ("p", "Second paragraph:"),
        ("li", "an item that goes on"),
        ("li", "another"),
        ("p", "Last."),
    ]
