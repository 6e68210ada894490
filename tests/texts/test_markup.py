"""HTML and Markdown through the default model: other words, the same tags."""

from __future__ import annotations

import random
import re
from collections import Counter
from pathlib import Path

import pytest
from html_fragments import FRAGMENTS, contents, tree

from ferryman_server.markup.markdown import outline
from ferryman_server.translation import WarningKind

DOCUMENTATION = Path("/usr/share/doc")
PAGES, FEWEST_CHARACTERS, MOST_CHARACTERS = 200, 300, 4000

MARKDOWN = """# The *new* configuration file

Press **any key** to continue, or see [the
manual page](http://a.b "t") for `foo --bar` & more\\*.

> - The first item
>   goes on here
> - [ ] a <b>file</b> is missing
1. Open <https://example.com> and **save _all_ files**.

| Name | Value |
|:-----|------:|
| a file | the *second* value |
| `code` | ~~old~~ text |

    indented code

```sh
echo "do not translate"
```

Setext heading
==============
![An image](x.png) with a \\
hard break. 2 * 3 is 6 and snake_case_name stays.
"""


@pytest.mark.parametrize("number", range(len(FRAGMENTS)))
def test_a_fragment_keeps_its_tree_of_tags(translate, number):
    source = FRAGMENTS[number]
    (translation,) = translate([source], mime_type="text/html")
    target = translation.hypotheses[0].text
    assert tree(target) == tree(source)
    for untouched in (("code", "pre", "script", "style", "var"), ("kbd",)):
        assert contents(target, *untouched) == contents(source, *untouched)
    if number != 12:
        assert target != source


def test_tags_are_around_the_words_that_they_were_around(translate):
    sources = ["<p>The <em>new</em> file</p>", "<p>See <a href=x>the manual page</a> of it.</p>"]
    new, link = (t.hypotheses[0].text for t in translate(sources, mime_type="text/html"))
    assert "<em>nouveau</em>" in new
    assert re.search(r"<a href=x>[^<]*page de manuel</a>", link)


def test_attributes_are_translated_where_asked_for(translate):
    source = "<p title='The manual page'>Text <img alt=\"small picture\" src=x></p>"
    asked = {"text": {"translated_attributes": ["alt", "title"]}}
    plain, both = (
        translate([source], mime_type="text/html", **fields)[0].hypotheses[0].text
        for fields in ({}, asked)
    )
    assert "The manual page" in plain
    assert "small picture" in plain
    assert "manual page" not in both
    assert "picture" not in both
    assert re.fullmatch(r"<p title='[^']+'>.*<img alt=\"[^\"]+\" src=x>.*</p>", both)


def test_markdown_keeps_its_blocks_and_inline_parts(translate):
    (translation,) = translate([MARKDOWN], mime_type="text/markdown")
    target = translation.hypotheses[0].text
    assert outline(target) == outline(MARKDOWN)
    assert "configuration" in target
    assert "Press" not in target
    assert 'echo "do not translate"' in target


def pages(chance: random.Random) -> list[str]:
    """Return pages of documentation that are on this machine, or as much as is handy of each."""
    found = sorted(path for path in DOCUMENTATION.rglob("*.htm*") if path.is_file())
    chance.shuffle(found)
    texts: list[str] = []
    for path in found:
        text = path.read_bytes().decode("utf-8", "replace")
        # lxml takes no declaration of an encoding in text.
        text = re.sub(r"<\?xml[^>]*>", "", text)
        text = text[: MOST_CHARACTERS + text[MOST_CHARACTERS:].find(">") + 1]
        if len(text) > FEWEST_CHARACTERS:
            texts.append(text)
    return texts[:PAGES]


@pytest.mark.deep
def test_pages_of_documentation_keep_their_trees(translate, chance, record_property):
    sources = pages(chance)
    if len(sources) < PAGES:
        pytest.skip(f"there are only {len(sources)} pages in {DOCUMENTATION}")
    different, longer, untranslated = [], [], 0
    warnings: Counter[WarningKind] = Counter()
    for start in range(0, PAGES, 20):
        part = sources[start : start + 20]
        for source, translation in zip(part, translate(part, mime_type="text/html"), strict=True):
            target = translation.hypotheses[0].text
            warnings.update(w.kind for w in translation.warnings)
            if tree(target) != tree(source):
                different.append(source)
            if len(target) > 1.6 * len(source):
                longer.append(source)
            untranslated += target == source
    record_property("warnings", {str(kind): count for kind, count in warnings.items()})
    assert not different, different[0]
    assert not longer, longer[0]
    assert untranslated < 0.05 * PAGES
