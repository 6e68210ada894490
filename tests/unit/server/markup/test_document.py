"""Documents taken apart and put together again, with a model that writes in upper case."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from html import unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ferryman_server.catalogue import Catalogue
from ferryman_server.limits import Limits
from ferryman_server.markup.document import Document
from ferryman_server.markup.html import html_blocks
from ferryman_server.markup.markdown import markdown_blocks, outline
from ferryman_server.markup.placement import Alignment
from ferryman_server.preparation import prepare_text
from ferryman_server.protection.detection import ProtectionOptions
from ferryman_server.request import TranslationRequest
from ferryman_server.text.passage import Sentence, TextForm, TextOptions
from ferryman_server.text.span import Span
from ferryman_server.translator import Translator


class Letters:
    """One token for each code point."""

    def encode(self, text: str, *, reserved: bool = False) -> list[int]:
        return [ord(letter) for letter in text]


class Echo:
    """What a model writes that knows no other language."""

    def __init__(self, text: str, sentence: Sentence) -> None:
        shield = sentence.shield
        self.written = sentence.span.of(text) if shield is None else shield.text
        self.read = sentence
        self.alignment = Alignment(
            tuple(Span(i, i + 1) for i in range(len(self.written))),
            tuple(
                frozenset(range(start, max(end, start + 1)))
                for start, end in zip(
                    sentence.source_offsets(), sentence.source_offsets()[1:], strict=False
                )
            ),
        )


def echoed(source: str, form: TextForm) -> str:
    """Return a document whose sentences are all replaced by themselves."""
    options = TextOptions(form=form, protection=ProtectionOptions())
    document = prepare_text(source, options, language="en", encoder=Letters(), max_tokens=1000)
    assert isinstance(document, Document)
    texts = zip(document.texts, document.sentences, strict=True)
    written = [Echo(text, sentence) for text, sentence in texts]
    known = {number: one.alignment for number, one in enumerate(written)}
    composed = document.compose(written, known)
    assert not composed.misplaced
    return composed.text


HTML = (
    "a word |two. Words |<b>|</b>|<i>|</i>|<code>x</code>|&amp;|%s|<p>|</p>|<br>|<img src=y>|<li>"
)
HTML += "|é|. |<!-- c -->|<a href='x'>|</a>|< "
PIECES = st.sampled_from(HTML.split("|"))


@given(st.lists(PIECES, max_size=12).map("".join))
def test_a_document_whose_sentences_stay_stays_as_it_is(source):
    # White space counts as one space, and a sign may be written as it has to be.
    assert unescape(echoed(source, TextForm.HTML)).split() == unescape(source).split()


MARKDOWN = (
    "a word ~**bold**~*em*~_x_ ~`code` ~[link](u) ~![i](s) ~\n~\n\n~- ~# ~> ~1. ~\\*~<b>~</b>"
)
MARKDOWN += "~| a | b |\n|-|-|\n| c d | *e* |\n~    ~&lt; "
SIGNS = st.sampled_from(MARKDOWN.split("~"))


@given(st.lists(SIGNS, max_size=10).map("".join))
def test_markdown_whose_sentences_stay_has_the_same_outline(source):
    assert outline(echoed(source, TextForm.MARKDOWN)) == outline(source)


def blocks(html: str) -> list[str]:
    return [block.text for block in html_blocks(html)]


@pytest.mark.parametrize(
    ("html", "texts"),
    [
        ("<p>one<p>two", ["one", "two"]),
        ("a <b>b</b> c<br>d", ["a b c", "d"]),
        ("<script>a<b</script><style>p</style><pre>x</pre>", []),
        ("<p>x <code>y</code> z</p>", ["x <code>y</code> z"]),
        ("<title>T &amp; U</title><!-- c -->", ["T & U"]),
        ("<div translate=no><p>not this</p></div>this", ["this"]),
        ("a\n  b\t c", ["a b c"]),
        ("<td>1</td><td>--</td><td>x</td>", ["1", "x"]),
    ],
)
def test_blocks_are_what_is_read_as_one(html, texts):
    assert blocks(html) == texts


def test_blocks_of_markdown_are_where_markdown_it_says():
    source = "# A *b*\n\n> c\n> d\n\n| e | f |\n|---|---|\n| g | \\| |\n"
    texts = [(block.text, block.source.of(source)) for block in markdown_blocks(source)]
    assert texts == [("A b", "A *b*"), ("c d", "c\n> d"), ("e", "e"), ("f", "f"), ("g", "g")]


@pytest.fixture
def translator(model):
    with ThreadPoolExecutor(max_workers=1) as executor:
        yield Translator(Catalogue([model]), Limits(), executor)


async def test_only_text_is_translated_and_spans_are_those_of_blocks(translator):
    source = "<h1 class=a>one</h1>\n<p title='t'>two &lt; <code>three</code> three. Four</p>"
    options = TextOptions(form=TextForm.HTML)
    (text,) = (await translator.translate(TranslationRequest(texts=(source,), text=options))).texts
    best = text.hypotheses[0]
    assert best.text == (
        "<h1 class=a>ONE</h1>\n<p title='t'>TWO &lt; <code>three</code> THREE. FOUR</p>"
    )
    assert [s.source.of(source) for s in best.sentences] == [
        "one",
        "two &lt; <code>three</code> three. Four",
        "two &lt; <code>three</code> three. Four",
    ]
    assert best.sentences[0].target.of(best.text) == "ONE"


async def test_tags_without_an_alignment_go_by_proportion_and_the_answer_says_so(model):
    catalogue = Catalogue([replace(model, scorer=None)])
    options = TextOptions(form=TextForm.HTML)
    request = TranslationRequest(texts=("one <b>two</b> three",), text=options)
    with ThreadPoolExecutor(max_workers=1) as executor:
        result = await Translator(catalogue, Limits(), executor).translate(request)
    (text,) = result.texts
    assert text.hypotheses[0].text == "ONE <b>TWO</b> THREE"
    assert [str(warning.kind) for warning in text.warnings] == ["markup_lost"]
