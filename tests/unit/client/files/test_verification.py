"""What --verify finds: counts, blanks, placeholders."""

from __future__ import annotations

import pytest

from ferryman.files.formats import format_of
from ferryman.files.placeholders import placeholders_of
from ferryman.files.verification import discrepancies


def found(tmp_path, before, after, suffix="txt", **options):
    source, output = tmp_path / f"in.{suffix}", tmp_path / f"out.{suffix}"
    source.write_text(before, "utf-8")
    output.write_text(after, "utf-8")
    listed = discrepancies(format_of(source, **options), source, output)
    return [(each.unit, each.what) for each in listed]


@pytest.mark.parametrize(
    ("before", "after", "wanted"),
    [
        ("a\n\nb\n", "x\n\ny\n", []),
        ("a\nb\nc\n", "x\n", [(2, "from here on only the input has 2 units")]),
        ("a\n", "x\ny\nz\n", [(2, "from here on only the output has 2 units")]),
        ("a\n\n", "x\ny\n", [(2, "it was blank, and is no longer as it was")]),
        ("a\n  \n", "x\n\n", [(2, "it was blank, and is no longer as it was")]),
        ("a\nb\n", "\ny\n", [(1, "it has no translation")]),
        ("%d of %d\n", "%d sur tout\n", [(1, "lost %d")]),
        ("{name}\n", "{nom}\n", [(1, "lost {name}"), (1, "made up {nom}")]),
        ("<b>a</b>\n", "a\n", [(1, "lost <b>, </b>")]),
        ("a\n", "%s %s\n", [(1, "made up %s (2 times)")]),
    ],
)
def test_what_does_not_fit_is_found(tmp_path, before, after, wanted):
    assert found(tmp_path, before, after) == wanted


def test_the_field_that_the_translation_went_to_is_looked_at(tmp_path):
    before, after = '{"a": "%d"}\n', '{"a": "%d", "b": "x"}\n'

    assert found(tmp_path, before, after, "jsonl", field="a", into="b") == [(1, "lost %d")]


@pytest.mark.parametrize(
    ("text", "placeholders"),
    [
        ("100 % sure, 5% done", []),
        ("%s %(name)s %1$s %-5.2f %lu %%", ["%(name)s", "%-5.2f", "%1$s", "%lu", "%s"]),
        ("%1 and %2", ["%1", "%2"]),
        ("${HOME} $path $5", ["$path", "${HOME}"]),
        ("{} {0} {name!r:>8} {{ user.name }}", ["{0}", "{name!r:>8}", "{{ user.name }}", "{}"]),
        ('<a href="x">a</a> 1 < 2 > 0', ["</a>", '<a href="x">']),
    ],
)
def test_placeholders_are_told_from_text(text, placeholders):
    assert sorted(placeholders_of(text)) == placeholders
