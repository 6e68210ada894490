"""Characters in the place of protected spans, and back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ferryman_bundle.tokenizer import CLOSING_TAGS, OPENING_TAGS, PLACEHOLDERS, RESERVED
from ferryman_server.protection.detection import Protected, ProtectionOptions, find_protected
from ferryman_server.protection.kinds import Kind
from ferryman_server.protection.shield import Shield, shielded
from ferryman_server.text.span import Span

A, B, C = PLACEHOLDERS[:3]


def shield(text: str) -> Shield:
    return shielded(text, Span(0, len(text)), find_protected(text, ProtectionOptions()))


texts = st.lists(
    st.sampled_from(["%s", "{}", "{x}", "<b>", "</b>", " a ", "é", "/etc/x", "\ue001", ". "])
).map("".join)


@given(texts)
def test_what_is_carried_as_it_is_comes_back_as_it_was(text):
    made = shield(text)
    assert made.restore(made.text) == text
    assert len(made.carried) > len(PLACEHOLDERS) or made.carries(made.text)
    assert set(made.text) & set(RESERVED) == {one.character for one in made.carried}


def test_every_span_has_a_character_of_its_own_and_tags_are_pairs():
    made = shield("Save %s in <b>all</b> of %s<br>")
    assert made.text == f"Save {A} in {OPENING_TAGS[0]}all{CLOSING_TAGS[0]} of {B}{C}"


def test_the_next_argument_and_tags_keep_their_order_and_nothing_else_must():
    made = shield("%s and %d, {x} <b>y</b>")
    first, second, name = A, B, C
    opening, closing = OPENING_TAGS[0], CLOSING_TAGS[0]
    assert set(made.chains) == {first + second, name, opening + closing}
    assert made.carries(f"{name} {opening}{closing} {first} {second}")
    assert not made.carries(f"{name} {opening}{closing} {second} {first}")
    assert not made.carries(f"{name} {closing}{opening} {first} {second}")


def test_what_is_lost_doubled_or_made_up_is_noticed():
    made = shield("%s or {x}")
    assert made.carries(f"{A} ou {B}")
    for translation in (f"{A} ou", f"{A}{B}{B}", f"{A}{B}{C}", ""):
        assert not made.carries(translation)
    assert [one.text for one in made.lost(f"{A}{A}")] == ["%s", "{x}"]
    assert made.restore(f"{A} ou {C}{B}") == "%s ou {x}"


def test_only_the_sentence_is_shielded_and_spans_are_those_of_the_text():
    text = "%s. Then %d."
    made = shielded(text, Span(4, 12), find_protected(text, ProtectionOptions()))
    assert made.text == f"Then {A}."
    assert [one.span for one in made.carried] == [Span(9, 11)]


def test_a_reserved_character_of_the_text_is_never_one_of_ours():
    text = f"a {RESERVED[5]} b and NAME"
    options = ProtectionOptions(by_looks=False, phrases=("NAME",))
    made = shielded(text, Span(0, len(text)), find_protected(text, options))
    assert made.text == f"a \ufffd b and {A}"


def test_text_of_a_document_is_escaped_and_its_markup_is_not():
    text = "if <br> & %s"
    protected = [Protected(Span(3, 7), Kind.MARKUP), Protected(Span(10, 12), Kind.PRINTF)]
    made = shielded(text, Span(0, len(text)), protected)
    assert made.restore(f"{A} < {B}", lambda plain: plain.replace("<", "&lt;")) == "<br> &lt; %s"


def test_a_text_that_names_the_same_spans_gets_their_characters():
    made = shield("copy %s to %s")
    assert made.applied_to("copie de %s vers") == f"copie de {A} vers"
    assert made.applied_to("de %s à %s à %s") == f"de {A} à {B} à %s"
