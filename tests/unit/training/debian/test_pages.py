"""HTML, Mallard and DocBook become blocks in the order of the page."""

from __future__ import annotations

import pytest

from ferryman_training.debian.block import Block
from ferryman_training.debian.pages import html_blocks, xml_blocks


def blocks(found) -> list[tuple[str, str]]:
    return [(block.tag, block.text) for block in found]


def test_a_page_is_its_headings_paragraphs_and_items_without_what_is_no_text():
    page = b"""<html><head><title>T</title></head><body><nav><p>menu</p></nav>
      <h1>Head <em>ing</em></h1><p>One<br>two <script>x()</script>three.</p><pre>code</pre>
      <div class="para">A <code>word</code> of it.</div>
      <ul><li>item</li><li><p>first</p><p>second</p></li><li>lead<ul><li>inner</li></ul>rest</li></ul>
      <table><tr><th>A</th><td>1<sup>[2]</sup></td></tr></table></body></html>"""
    assert blocks(html_blocks(page)) == [
        ("h1", "Head ing"),
        ("p", "One two three."),
        ("div", "A word of it."),
        ("li", "item"),
        ("p", "first"),
        ("p", "second"),
        ("li", "lead"),
        ("li", "inner"),
        ("li", "rest"),
        ("th", "A"),
        ("td", "1"),
    ]


def test_blocks_keep_the_names_that_the_page_gives_them():
    page = b'<body><p id="par_1">a</p><p>b</p><li id="x">c<p id="par_2">d</p></li></body>'
    assert html_blocks(page) == [
        Block("p", "a", "par_1"),
        Block("p", "b"),
        Block("li", "c"),
        Block("p", "d", "par_2"),
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "iso-8859-1"])
def test_the_encoding_is_the_declared_one(encoding):
    page = f'<meta http-equiv="Content-Type" content="text/html; charset={encoding}"><p>été</p>'
    assert blocks(html_blocks(page.encode(encoding))) == [("p", "été")]
    assert blocks(html_blocks("<p>été</p>".encode())) == [("p", "été")]


def test_mallard_keeps_words_of_code_and_leaves_listings_out():
    page = b"""<page xmlns="http://projectmallard.org/1.0/"><info><desc>d</desc></info>
      <title>T</title><section><p>Run <code>ls</code> in <gui>Files</gui>.</p><code>ls -l</code>
      <p>See <link xref="other"/>.</p><list><item><p>one</p></item></list></section></page>"""
    assert blocks(xml_blocks(page)) == [
        ("desc", "d"),
        ("title", "T"),
        ("p", "Run ls in Files."),
        ("p", "See \ue000."),
        ("p", "one"),
    ]


def test_menus_and_keys_are_shown_as_sequences_and_other_machines_keys_not_at_all():
    mallard = b"""<page><p>Click <guiseq><gui>View</gui> <gui>All</gui></guiseq> or press
      <keyseq><key>Ctrl</key><key>A</key></keyseq>.</p></page>"""
    assert blocks(xml_blocks(mallard)) == [("p", "Click View ▸ All or press Ctrl+A.")]
    page = b"""<p>Hold <span><span class="MAC">Command</span><span>Ctrl</span></span> down.</p>"""
    assert blocks(html_blocks(page)) == [("p", "Hold Ctrl down.")]


def test_docbook_is_read_without_its_index_and_without_entities_of_the_disk(tmp_path):
    (tmp_path / "secret").write_text("secret", "utf-8")
    page = f"""<!DOCTYPE article [<!ENTITY x SYSTEM "file://{tmp_path}/secret">]>
      <article><articleinfo><copyright>c</copyright></articleinfo><sect1><title>T</title>
      <para>One<indexterm><primary>index</primary></indexterm> &x;two.</para>
      <screen>$ ls</screen></sect1></article>"""
    assert blocks(xml_blocks(page.encode())) == [("title", "T"), ("para", "One two.")]


@pytest.mark.parametrize("read", [html_blocks, xml_blocks])
@pytest.mark.parametrize("content", [b"", b"<!-- -->", b"   "])
def test_what_is_no_page_has_no_blocks(read, content):
    assert read(content) == []
