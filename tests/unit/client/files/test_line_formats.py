"""Lines, columns and fields: line n in is line n out, and only the translated text differs."""

from __future__ import annotations

import gzip
import json
import lzma

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ferryman.files.compression import reading
from ferryman.files.errors import InputFileError
from ferryman.files.formats import format_of
from ferryman.files.json_lines import JsonFormat
from ferryman.files.text_lines import LineFormat, TableFormat
from ferryman.files.zstandard import zstd

PACK = {"gz": gzip.compress, "xz": lzma.compress, "zst": zstd.compress}


def reversed_lines(raw: bytes) -> bytes:
    """Every line of a text turned round: the brute-force twin of `decode` with the reverser."""
    lines = raw.decode().split("\n")
    turned = []
    for line in lines:
        end = "\r" if line.endswith("\r") and len(turned) < len(lines) - 1 else ""
        text = line.removesuffix(end) if end else line
        turned.append((text[::-1] if text.strip() else text) + end)
    return "\n".join(turned).encode()


LINES = "one\n\n  \ntwo\r\n\r\nthré\t four\x0bfive\u2028six\n" + "line\n" * 20 + "last, without end"


def test_lines_stay_lines_and_keep_their_ends(decode, tmp_path):
    source = tmp_path / "in.txt"
    source.write_bytes(LINES.encode())

    decode(source, tmp_path / "out.txt")

    assert (tmp_path / "out.txt").read_bytes() == reversed_lines(LINES.encode())
    assert {path.name for path in tmp_path.iterdir()} == {"in.txt", "out.txt"}


@given(st.text(st.sampled_from("ab \t\n\ré\x0c\x85\u2028"), max_size=60))
def test_any_text_has_as_many_lines_after_as_before(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("any") / "in.txt"
    path.write_bytes(text.encode())
    units = list(LineFormat().units(path))

    assert b"".join(unit.raw for unit in units) == text.encode()
    copied = b"".join(unit.render(unit.text) for unit in units)
    assert copied.count(b"\n") == text.count("\n")
    if "\r" not in text.replace("\r\n", "\n"):
        assert copied == text.encode()


def test_a_byte_order_mark_stays_and_is_not_translated(decode, reverser, tmp_path):
    (tmp_path / "in.txt").write_bytes("\ufeffabc\ndef\n".encode())

    decode(tmp_path / "in.txt", tmp_path / "out.txt")

    assert (tmp_path / "out.txt").read_text("utf-8") == "\ufeffcba\nfed\n"
    assert reverser.texts == ["abc", "def"]


@pytest.mark.parametrize("packed_in", ["", *PACK])
@pytest.mark.parametrize("packed_out", ["", *PACK])
def test_files_may_be_compressed_on_either_side(decode, tmp_path, packed_in, packed_out):
    source = tmp_path / f"in.txt.{packed_in}".rstrip(".")
    source.write_bytes(PACK.get(packed_in, bytes)(LINES.encode()))
    output = tmp_path / f"out.txt.{packed_out}".rstrip(".")

    decode(source, output)

    with reading(output) as stream:
        assert stream.read() == reversed_lines(LINES.encode())


@pytest.mark.parametrize("packed", PACK)
def test_a_damaged_compressed_file_is_refused(decode, tmp_path, packed):
    source = tmp_path / f"in.txt.{packed}"
    source.write_bytes(PACK[packed](LINES.encode())[:-12])

    with pytest.raises(InputFileError, match="is damaged, or no"):
        decode(source, tmp_path / "out.txt")
    assert not (tmp_path / "out.txt").exists()


def test_a_line_that_is_not_utf_8_is_a_failure_and_the_others_are_translated(decode, tmp_path):
    (tmp_path / "in.txt").write_bytes(b"abc\n\xff\xfe\r\ndef\n")

    result = decode(tmp_path / "in.txt", tmp_path / "out.txt")

    assert (tmp_path / "out.txt").read_bytes() == b"cba\n\r\nfed\n"
    assert result.summary.failed == 1
    (failure,) = (tmp_path / "out.txt.failures.jsonl").read_text("utf-8").splitlines()
    assert json.loads(failure) == {
        "line": 2,
        "status": "INVALID_ARGUMENT",
        "reason": "NOT_UTF8",
        "message": "byte 1 (0xff) is not UTF-8",
        "source": None,
    }


def test_a_column_is_translated_and_the_others_stay(decode, tmp_path):
    (tmp_path / "in.tsv").write_text("1\tabc\tx\n\n2\tdef\n3\n4\t\tz\n", "utf-8")

    result = decode(tmp_path / "in.tsv", tmp_path / "out.tsv", field="2")

    assert (tmp_path / "out.tsv").read_text("utf-8") == "1\tcba\tx\n\n2\tfed\n3\n4\t\tz\n"
    assert result.summary.failed == 1
    failure = json.loads((tmp_path / "out.tsv.failures.jsonl").read_text("utf-8"))
    assert (failure["line"], failure["reason"]) == (4, "NO_FIELD")


def test_a_translation_may_become_a_column_of_its_own(decode, tmp_path):
    (tmp_path / "in.tsv").write_text("abc\t1\r\ndef\t2\r\n", "utf-8")

    decode(tmp_path / "in.tsv", tmp_path / "out.tsv", into="3")

    assert (tmp_path / "out.tsv").read_bytes() == b"abc\t1\tcba\r\ndef\t2\tfed\r\n"


def test_a_field_is_translated_and_every_other_byte_of_the_object_stays(decode, tmp_path):
    lines = [
        '{"id":1.50e1, "text" : "abc", "big": 12345678901234567890, "text2":"abc"}',
        '  {"deep": {"text": "no"}, "text":"de\\u0066\\n\\"", "x":[1, 2 ]}  ',
        '{"text": null}',
        "",
        '{"text": "é\\ud83d\\ude00"}',
    ]
    (tmp_path / "in.jsonl").write_text("\n".join(lines), "utf-8")

    result = decode(tmp_path / "in.jsonl", tmp_path / "out.jsonl")

    assert (tmp_path / "out.jsonl").read_text("utf-8").split("\n") == [
        '{"id":1.50e1, "text" : "cba", "big": 12345678901234567890, "text2":"abc"}',
        '  {"deep": {"text": "no"}, "text":"\\"\\nfed", "x":[1, 2 ]}  ',
        '{"text": null}',
        "",
        '{"text": "😀é"}',
    ]
    assert result.summary.failed == 0


def test_a_field_of_a_field_may_be_named_and_the_translation_go_beside_it(decode, tmp_path):
    (tmp_path / "in.jsonl").write_text('{"a": {"b": "abc"}, "c": 1}\n', "utf-8")

    decode(tmp_path / "in.jsonl", tmp_path / "out.jsonl", field="a.b", into="fr")

    written = (tmp_path / "out.jsonl").read_text("utf-8")
    assert written == '{"a": {"b": "abc", "fr": "cba"}, "c": 1}\n'


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("[1]", "NOT_JSON"),
        ('{"text": "abc"', "NOT_JSON"),
        ('{"text": "abc"} x', "NOT_JSON"),
        ('{"text" "abc"}', "NOT_JSON"),
        ('{"text": nul}', "NOT_JSON"),
        ('{"texts": "abc"}', "NO_FIELD"),
        ("{}", "NO_FIELD"),
        ('{"text": 3}', "NO_TEXT"),
    ],
)
def test_a_line_that_has_no_such_field_is_copied_and_reported(line, reason):
    unit = JsonFormat().unit_of(line, "\n")

    assert unit.text is None
    assert unit.fault.reason == reason
    assert unit.render(None) == line.encode() + b"\n"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(
    st.dictionaries(st.text(), json_values), st.text(), st.booleans(), st.sampled_from([None, 1])
)
def test_whatever_else_an_object_holds_only_the_field_changes(others, text, ascii_only, indent):
    fields = {**others, "text": text}
    line = json.dumps(fields, ensure_ascii=ascii_only, indent=indent).replace("\n", " ")
    unit = JsonFormat().unit_of(line, "")

    assert unit.text == text
    assert json.loads(unit.render("new \u2028 é")) == {**fields, "text": "new \u2028 é"}


@pytest.mark.parametrize("column", ["0", "x", "-1", ""])
def test_a_column_that_is_no_number_is_refused(column):
    with pytest.raises(ValueError, match="number from 1"):
        TableFormat(column)


def test_a_name_that_says_nothing_is_refused_unless_the_format_is_said(tmp_path):
    with pytest.raises(InputFileError, match="say --format"):
        format_of(tmp_path / "notes.xyz.gz")
    assert format_of(tmp_path / "notes.xyz.gz", name="txt").name == "txt"
    with pytest.raises(ValueError, match="has no fields"):
        format_of(tmp_path / "notes.txt", field="2")


def test_a_line_that_is_too_long_for_text_is_refused(decode, tmp_path):
    (tmp_path / "in.txt").write_bytes(b"a\n" + b"x" * ((1 << 24) + 1))

    with pytest.raises(InputFileError, match="line 2 is longer than 16 MiB"):
        decode(tmp_path / "in.txt", tmp_path / "out.txt")
