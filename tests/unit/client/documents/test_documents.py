"""Documents: only their texts change, as whoever reads such files sees it; and nothing is lost."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import zipfile
from pathlib import Path

import docx
import polib
import pytest
import srt
import webvtt
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree
from lxml import html as lxml_html
from markdown_it import MarkdownIt

from ferryman.documents.document import DocumentFormat
from ferryman.documents.gettext import Catalogue
from ferryman.documents.html_pages import HtmlPage
from ferryman.documents.markdown import Markdown
from ferryman.documents.subtitles import Subtitles, divided
from ferryman.documents.word import WordDocument
from ferryman.documents.xliff import Xliff

SRT = """1
00:00:01,000 --> 00:00:02,500
The ferry leaves
at noon.

7
00:00:03,000 --> 00:00:04,000 X1:1 X2:2
- Who is there?
- <i>Me.</i>


9
00:01:03,000 --> 00:01:04,000

"""

VTT = """WEBVTT - a title

STYLE
::cue { color: red }

REGION
id:one

NOTE this stays
and this

intro
00:01.000 --> 00:02.500 align:start
The ferry leaves at noon.

00:00:03.000 --> 00:00:04.000
<v Ann>Who is there?
"""

PO = r"""# Translators
msgid ""
msgstr ""
"Language: fr\n"
"Content-Type: text/plain; charset=UTF-8\n"
"Plural-Forms: nplurals=3; plural=(n==0 ? 0 : n==1 ? 1 : 2);\n"

#. for the translator
#: src/main.c:12
#, c-format
msgid "%d file\n"
msgid_plural "%d files\n"
msgstr[0] ""
msgstr[1] ""
msgstr[2] ""

msgctxt "menu"
msgid "Open"
msgstr ""

msgid "Done"
msgstr "Fini"

#, fuzzy
msgid "Close"
msgstr "Ouvrir"

#, c-format
msgid "Copy %s to %s"
msgstr ""

#~ msgid "Old"
#~ msgstr "Vieux"
"""

XLIFF_1 = """<?xml version="1.0" encoding="UTF-8"?>
<!-- a comment -->
<xliff version="1.2" xmlns="urn:oasis:names:tc:xliff:document:1.2" xmlns:a="urn:a">
  <file original="a.txt" source-language="en" target-language="fr" datatype="plaintext">
    <body>
      <trans-unit id="1" a:b="c"><source>Open the file.</source></trans-unit>
      <trans-unit id="2"><source>Press <g id="1">any <x id="2"/> key</g> now.</source>
        <note>a note</note></trans-unit>
      <trans-unit id="3"><source>Done</source><target state="final">Fini</target></trans-unit>
      <trans-unit id="4" translate="no"><source>ferryman</source></trans-unit>
      <trans-unit id="5"><source>Close</source><target state="new"/></trans-unit>
      <trans-unit id="6"><source><ph id="1">%d</ph> files</source></trans-unit>
    </body>
  </file>
</xliff>
"""

XLIFF_2 = """<xliff xmlns="urn:oasis:names:tc:xliff:document:2.0" version="2.0" srcLang="en">
  <file id="f"><unit id="1"><segment><source>Open.</source></segment>
  <segment><source>Close.</source><target>Fermer.</target></segment></unit></file></xliff>
"""

HTML = """<!DOCTYPE html>
<html lang=en><head><title>The &amp; ferry</title>
<script>if (a < b) { say("no"); }</script><style>p { color: red }</style></head>
<body><!-- not this -->
<P CLASS=x title="stays">It leaves&nbsp;at <b>noon</b>, or<br>at 5 &lt; 6.</P>
<pre>  code
</pre><p>Use <code>make run</code> now. <span translate="no">Name <i>of it</i></span> and more</p>
<ul><li>One<li>Two</ul>
<p>unclosed &unknown; &#233;t&#xe9;
"""

MARKDOWN = """---
title: stays
---
# A *heading* with `code`

A paragraph that runs
over two lines, with a [link.](http://a.html "t") and ![image](b.png) and <b>tag</b>.
Hard break\x20\x20
here; escaped \\* star, &amp; more.

- One item
  that goes on
- [x] Two, <http://stays.example/>
  1. nested_with_underscore
     text

> Quoted text
> goes on

| Name | Use |
|------|-----|
| one  | two `x` three |

```python
print("stays")
```

    indented code

[ref]: http://ref.example
See [it][ref].
"""


def marked(text):
    """A translation that can be told from its source, and keeps whatever it holds."""
    return None if text is None else f"«{text}»"


def translate(kind, data):
    """Fill a document as `DocumentFormat` does: without the white space around a text."""
    document = kind(data)
    texts = document.sources()
    filled = []
    for text in texts:
        core = (text or "").strip()
        filled.append(text.replace(core, marked(core)) if core else None)
    return [text for text in texts if text and text.strip()], document.filled(filled)


def unmarked(data):
    return data.replace("«".encode(), b"").replace("»".encode(), b"")


KINDS = [
    (Subtitles, SRT), (Subtitles, SRT.replace("\n", "\r\n")), (Subtitles, VTT),
    (HtmlPage, HTML), (HtmlPage, HTML.replace("\n", "\r\n")), (Markdown, MARKDOWN),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "text"), KINDS)
def test_where_a_document_is_text_every_byte_that_is_not_translated_stays(kind, text):
    texts, written = translate(kind, text.encode())

    assert len(texts) > 1
    assert written.count("«".encode()) == len(texts)
    if kind is HtmlPage:  # a character may be written in several ways; what it is stays
        text = re.sub(r"&nbsp;|&#233;|&#xe9;|&unknown;", lambda found: {
            "&nbsp;": "\xa0", "&unknown;": "&amp;unknown;"}.get(found[0], "é"), text)  # fmt: skip
    if kind is Markdown:  # lines of a paragraph are divided anew
        assert unmarked(written).split() == text.encode().split()
        return
    assert unmarked(written) == text.encode()


@pytest.mark.parametrize(("kind", "text"), KINDS)
def test_a_document_without_translations_is_itself(kind, text):
    document = kind(text.encode())

    assert document.filled([None] * len(document.sources())) == text.encode()


def test_subtitles_read_the_same_but_for_what_is_spoken():
    texts, written = translate(Subtitles, SRT.encode())
    before, after = list(srt.parse(SRT)), list(srt.parse(written.decode()))

    assert texts == ["The ferry leaves at noon.", "- Who is there?", "- <i>Me.</i>"]
    assert [(c.index, c.start, c.end) for c in before] == [(c.index, c.start, c.end) for c in after]
    assert after[0].content == "«The ferry leaves\nat noon.»"
    cues = webvtt.from_string(translate(Subtitles, VTT.encode())[1].decode())
    assert [cue.identifier for cue in cues] == ["intro", None]
    assert cues[0].text == "«The ferry leaves at noon.»"


@given(st.lists(st.text("ab", min_size=1), max_size=12), st.integers(1, 4))
def test_a_divided_text_has_all_its_words_in_order(words, count):
    lines = divided(" ".join(words), count)

    assert " ".join(lines).split() == words
    assert len(lines) == min(count, len(words))
    assert all(lines)


def test_a_translation_with_fewer_words_than_lines_leaves_no_blank_line_in_a_cue():
    document = Subtitles(b"1\n00:00:01,000 --> 00:00:02,000\nOne\ntwo\nthree\n\n2\n"
                         b"00:00:03,000 --> 00:00:04,000\nMore\n")  # fmt: skip

    written = document.filled(["Un", "Plus"])

    assert [cue.content for cue in srt.parse(written.decode())] == ["Un", "Plus"]


def test_a_catalogue_keeps_what_it_has_and_is_given_what_it_lacks():
    texts, written = translate(Catalogue, PO.encode())
    before, after = polib.pofile(PO), polib.pofile(written.decode())

    assert texts == ["%d file\n", "%d files\n", "%d files\n", "Open", "Copy %s to %s"]
    assert [(e.msgid, e.msgctxt, e.comment, e.occurrences, e.obsolete) for e in before] == [
        (e.msgid, e.msgctxt, e.comment, e.occurrences, e.obsolete) for e in after
    ]
    assert after.metadata == before.metadata
    assert after[0].msgstr_plural == {0: "«%d file»\n", 1: "«%d files»\n", 2: "«%d files»\n"}
    assert [e.msgstr for e in after[1:]] == ["«Open»", "Fini", "Ouvrir", "«Copy %s to %s»", "Vieux"]
    assert [e.fuzzy for e in after] == [e.fuzzy for e in before]


def test_a_translation_that_lost_a_placeholder_is_marked_so_that_no_program_uses_it(tmp_path):
    document = Catalogue(PO.encode())
    written = document.filled([
        None if text is None else text.replace("%d", "%s") for text in document.sources()
    ])  # fmt: skip

    assert [entry.fuzzy for entry in polib.pofile(written.decode())][:2] == [True, False]
    check_format(tmp_path, written)


def check_format(tmp_path, catalogue):
    if shutil.which("msgfmt") is None:
        pytest.skip("there is no msgfmt on this machine")
    path = tmp_path / "checked.po"
    path.write_bytes(catalogue)
    finished = subprocess.run(
        ["msgfmt", "--check-format", "-o", "/dev/null", path],
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr


def test_msgfmt_accepts_a_catalogue_that_was_translated(tmp_path):
    check_format(tmp_path, translate(Catalogue, PO.encode())[1])


def installed_catalogue():
    """A real catalogue of this machine, as text without its translations."""
    found = sorted(
        Path("/usr/share/locale").glob("*/LC_MESSAGES/*.mo"), key=lambda p: p.stat().st_size
    )
    if not found or shutil.which("msgunfmt") is None:
        pytest.skip("there is no catalogue on this machine, or no msgunfmt")
    text = subprocess.run(["msgunfmt", found[-1]], capture_output=True, check=True).stdout
    catalogue = polib.pofile(text.decode())
    for entry in catalogue:
        entry.msgstr = ""
        entry.msgstr_plural = dict.fromkeys(entry.msgstr_plural, "")
        if "%" in entry.msgid:
            entry.flags.append("c-format")
    return str(catalogue).encode()


def test_a_real_catalogue_is_filled_and_msgfmt_accepts_it(tmp_path):
    catalogue = installed_catalogue()
    texts, written = translate(Catalogue, catalogue)

    assert len(texts) > 20
    assert len(polib.pofile(written.decode()).translated_entries()) == len(
        polib.pofile(catalogue.decode())
    )


def xml_outline(data):
    """Everything of an XML document but its texts, and the targets of XLIFF."""
    root = etree.fromstring(data)
    for target in [element for element in root.iter() if "target" in str(element.tag)]:
        target.getparent().remove(target)
    return [
        (element.tag, dict(element.attrib), [child.tag for child in element])
        for element in root.iter()
    ]


@pytest.mark.parametrize("text", [XLIFF_1, XLIFF_2])
def test_xliff_keeps_its_structure_and_its_sources(text):
    _, written = translate(Xliff, text.encode())

    assert xml_outline(written) == xml_outline(text.encode())
    assert b"<!-- a comment -->" in written or text is XLIFF_2


def test_xliff_units_without_a_target_are_given_one_with_the_same_inline_elements():
    texts, written = translate(Xliff, XLIFF_1.encode())

    assert texts == ["Open the file.", "Press ", "any ", " key", " now.", "Close", " files"]
    targets = re.findall(r"<target[^>]*/>|<target.*?</target>", written.decode())
    assert targets == [
        "<target>«Open the file.»</target>",
        '<target>«Press» <g id="1">«any» <x id="2"/> «key»</g> «now.»</target>',
        '<target state="final">Fini</target>',
        '<target state="new">«Close»</target>',
        '<target><ph id="1">%d</ph> «files»</target>',
    ]


def test_a_page_reads_the_same_but_for_its_text():
    texts, written = translate(HtmlPage, HTML.encode())

    def outline(page):
        return [
            (element.tag, dict(element.attrib)) for element in lxml_html.fromstring(page).iter()
        ]

    assert outline(written) == outline(HTML.encode())
    assert texts == [
        "The & ferry", "It leaves\xa0at ", "noon", ", or", "at 5 < 6.", "Use ", " now. ",
        " and more", "One", "Two", "unclosed &unknown; été\n",
    ]  # fmt: skip
    assert b"5 &lt; 6." in written


def outline_of_markdown(text):
    def inner(tokens):
        for token in tokens:
            yield token.type, token.tag, dict(token.attrs), token.markup
            if token.type in {"fence", "code_block", "code_inline", "html_inline", "html_block"}:
                yield token.content
            yield from inner(token.children or ())

    body = text.partition("---\n# ")[2]
    tokens = list(inner(MarkdownIt("commonmark").enable(["table"]).parse(body)))
    return [token for token in tokens if token[0] not in {"softbreak", "text", "text_special"}]


def test_markdown_reads_the_same_but_for_its_text():
    texts, written = translate(Markdown, MARKDOWN.encode())

    assert "A paragraph that runs over two lines, with a " in texts
    assert {"link.", "image", "tag", "Quoted text goes on", "two ", " three"} - set(texts) == {
        "image"
    }
    assert not any("stays" in text or "print" in text for text in texts)
    assert outline_of_markdown(written.decode()) == outline_of_markdown(MARKDOWN)


@pytest.mark.parametrize(
    "translation",
    [
        "# x",
        "- x",
        "1. x",
        "> x",
        "a * b * c",
        "`x`",
        "<b>x</b>",
        "[a](b)",
        "===",
        "+ x",
        "a|b",
        "\\",
    ],
)
def test_no_translation_becomes_markup(translation):
    document = Markdown(b"One line\nand two.\n\n- item\n")
    written = document.filled([translation, translation]).decode()

    assert outline_of_markdown("---\n# " + written) == outline_of_markdown(
        "---\n# One line\nand two.\n\n- item\n"
    )
    rendered = MarkdownIt("commonmark").render(written)
    assert (
        lxml_html.fromstring(rendered).text_content().split()
        == (translation + " " + translation).split()
    )


def word_document():
    document = docx.Document()
    document.add_heading("The ferry", 1)
    paragraph = document.add_paragraph("It leaves ")
    paragraph.add_run("at ")
    paragraph.add_run("noon").bold = True
    paragraph.add_run(".")
    document.add_paragraph("One", style="List Bullet")
    document.add_table(1, 2).rows[0].cells[1].text = "In a table"
    document.sections[0].header.paragraphs[0].text = "A header"
    packed = io.BytesIO()
    document.save(packed)
    return packed.getvalue()


def test_a_word_document_reads_the_same_but_for_its_text():
    data = word_document()
    texts, written = translate(WordDocument, data)
    before, after = docx.Document(io.BytesIO(data)), docx.Document(io.BytesIO(written))

    assert sorted(texts) == sorted(
        ["The ferry", "It leaves at ", "noon", ".", "One", "In a table", "A header"]
    )
    assert [p.style.name for p in before.paragraphs] == [p.style.name for p in after.paragraphs]
    assert [[r.bold for r in p.runs] for p in before.paragraphs] == [
        [r.bold for r in p.runs] for p in after.paragraphs
    ]
    assert after.paragraphs[1].text == "«It leaves at» «noon»«.»"
    assert after.tables[0].rows[0].cells[1].text == "«In a table»"
    assert after.sections[0].header.paragraphs[0].text == "«A header»"


def test_what_is_no_text_of_a_word_document_stays_to_the_byte():
    data = word_document()
    _, written = translate(WordDocument, data)

    with zipfile.ZipFile(io.BytesIO(data)) as one, zipfile.ZipFile(io.BytesIO(written)) as other:
        assert one.namelist() == other.namelist()
        for name in one.namelist():
            if not re.search("document|header", name):
                assert one.read(name) == other.read(name)


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        (Subtitles, b"no times at all\n"), (Subtitles, b"\xff\xfe"),
        (Catalogue, b'msgid "a"\nmsgstr "b" c\n'),
        (Catalogue, b"\xff"), (Xliff, b"<xliff>"), (Xliff, b"<other/>"), (HtmlPage, b"\xff"),
        (Markdown, b"\xff"), (WordDocument, b"PK"), (WordDocument, b""),
    ],
)  # fmt: skip
def test_what_is_no_such_document_is_refused(kind, data):
    with pytest.raises(ValueError):  # noqa: PT011  # each library says it in its own words
        kind(data)


def test_entities_of_an_xml_document_are_not_followed(tmp_path):
    (tmp_path / "secret").write_text("a secret")
    text = XLIFF_1.replace(
        "<!-- a comment -->", f'<!DOCTYPE x [<!ENTITY e SYSTEM "file://{tmp_path}/secret">]>'
    ).replace("Open the file.", "Open &e;")

    _, written = translate(Xliff, text.encode())

    assert b"a secret" not in written


def test_a_document_goes_through_decode_and_what_failed_stays_as_it_was(decode, tmp_path):
    (tmp_path / "in.html").write_text(HTML, "utf-8")

    decode(tmp_path / "in.html", tmp_path / "out.html")

    written = (tmp_path / "out.html").read_text("utf-8")
    assert "It leaves"[::-1] in written
    assert "It leaves" not in written
    assert {path.name for path in tmp_path.iterdir()} == {"in.html", "out.html"}


def test_the_name_of_a_format_is_part_of_what_a_run_is_known_by():
    assert DocumentFormat("po", Catalogue).name == "po"
