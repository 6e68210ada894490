"""What is protected in a text, and what only looks like it."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ferryman_bundle.tokenizer import RESERVED
from ferryman_server.protection.detection import (
    PatternError,
    ProtectionOptions,
    check_pattern,
    find_protected,
    joined,
)
from ferryman_server.protection.kinds import TRIGGER

LOOKS = ProtectionOptions()


def found(text: str, options: ProtectionOptions = LOOKS) -> list[tuple[str, str]]:
    return [(str(one.kind), one.span.of(text)) for one in find_protected(text, options)]


@pytest.mark.parametrize(
    ("kind", "span"),
    [
        *(("printf", s) for s in "%s %5.2f %-20.20s %1$s %(name)s %% %lu %*d %@ %1 %Y".split()),  # noqa: SIM905
        ("printf", "%<PRIuMAX>"),
        *(("braces", s) for s in ["{}", "{0}", "{name}", "{a.b[0]}", "{x!r:>10}"]),
        ("braces", "{n, plural, one {# file} other {# files in {dir}}}"),
        *(("template", s) for s in ["${x}", "{{x}}", "$HOME"]),
        ("template", "{% if a %}"),
        *(
            ("url", s)
            for s in ["https://a.org/b_(c)?d=e#f", "git+ssh://x", "www.gnu.org", "mailto:a@b"]
        ),
        ("email", "a.b+c@d-e.example.org"),
        *(
            ("path", s)
            for s in ["/etc/fstab", "~/.profile", "./a", "src/main.c", "/usr/lib/*.so", "C:\\a\\b"]
        ),
        ("code", "`a b`"),
        ("code", "``a `b``"),
        *(("tag", s) for s in ["<b>", "</b>", "<br/>", '<a href="x">', "&lt;", "&#160;"]),
        *(("quantity", s) for s in ["16 GiB", "50 %", "-3.5 °C", "2,4 GHz", "100%", "1.000 km"]),
        *(("command", s) for s in ["--long-option=VALUE", "-x", "open(2)", "sources.list(5)"]),
        ("reserved", RESERVED[0]),
    ],
)
def test_a_span_is_known_by_its_looks_at_any_place_of_a_sentence(kind, span):
    for text in (span, f"{span} is here", f"look: {span}", f"see ({span})", f"It is {span}, so."):
        assert found(text) == [(kind, span)], text
        assert TRIGGER.search(text)


@pytest.mark.parametrize(
    "text",
    [
        "Plain words, and/or more; well-known ones, 3.5 of them (or 12).",
        "Windows/Linux",
        "a < b and c > d",
        "5 Apples",
        "He said: {no closing",
        "It costs $5.",
        "half-time -- and more",
    ],
)
def test_what_is_language_is_left_to_the_model(text):
    assert found(text) == []


def test_an_address_ends_where_a_bracket_closes_that_it_did_not_open():
    text = "(https://a.org/b)[2.4 GHz] and (https://a.org/c_(d))[5 GHz]"
    expected = ["https://a.org/b", "2.4 GHz", "https://a.org/c_(d)", "5 GHz"]
    assert [span for _, span in found(text)] == expected


def test_the_punctuation_of_the_sentence_is_no_part_of_an_address():
    text = "See https://a.org/b, or (https://a.org/c_(d)). Or a@b.org!"
    assert [span for _, span in found(text)] == [
        "https://a.org/b",
        "https://a.org/c_(d)",
        "a@b.org",
    ]


def test_only_what_takes_the_next_argument_keeps_its_order():
    text = "%s %1$s %(n)s {} {0} {:>4} %% {name}"
    ordered = [one.span.of(text) for one in find_protected(text, LOOKS) if one.is_ordered]
    assert ordered == ["%s", "{}", "{:>4}"]


def test_what_the_caller_names_goes_before_looks():
    options = ProtectionOptions(patterns=(r"ID-\d+ at \S+",), phrases=("GNU Hurd", "GNU"))
    text = "GNU Hurd, GNUs and ID-7 at /etc/fstab are GNU's."
    assert found(text, options) == [
        ("phrase", "GNU Hurd"),
        ("pattern", "ID-7 at /etc/fstab"),
        ("phrase", "GNU"),
    ]
    nothing = ProtectionOptions(by_looks=False)
    assert found("%s", nothing) == []


@pytest.mark.parametrize("pattern", ["(", r"(?=a)", "a*", "", "(a{1000}){1000}"])
def test_a_pattern_that_cannot_be_used_is_refused(pattern):
    with pytest.raises(PatternError, match="must"):
        check_pattern(pattern)


def test_no_text_and_no_pattern_takes_more_than_linear_time():
    """Each of these takes hours in an engine that backtracks; the bound is very generous."""
    options = ProtectionOptions(patterns=(r"(a+)+b", r"(.*)*x"), phrases=("a" * 900, "a" * 899))
    hostile = [
        "a" * 50_000,
        "%" * 50_000,
        "{" * 50_000,
        "a@" * 25_000,
        "a/" * 25_000,
        "<a" * 25_000,
    ]
    hostile += ["{{" * 20_000 + "}", "1." * 25_000, "$" * 50_000, "`" * 50_001, "{a," * 10_000]
    began = time.process_time()
    for text in hostile:
        check_pattern(options.patterns[0])
        find_protected(text, options)
    assert time.process_time() - began < 30


texts = st.text(alphabet="ab %s{}$<>/`@.,:0é\ue000\ue03f\n", max_size=60)


@given(texts)
def test_spans_are_in_order_apart_from_each_other_and_never_empty(text):
    end = 0
    for one in find_protected(text, ProtectionOptions(phrases=("a b",), patterns=("b.",))):
        assert end <= one.span.start < one.span.end <= len(text)
        end = one.span.end


def test_spans_with_nothing_but_punctuation_between_them_are_one():
    text = "%d%% of %s:%s, <b>%s</b>"
    assert [one.span.of(text) for one in joined(text, find_protected(text, LOOKS))] == [
        "%d%%",
        "%s:%s",
        "<b>",
        "%s",
        "</b>",
    ]
