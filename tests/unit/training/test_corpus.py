"""Corpora that can be read, and what is said about those that cannot."""

from __future__ import annotations

import hashlib
import json

import pytest

from ferryman_training.corpus import SentencePair, digest, read_pairs, stream_pairs
from ferryman_training.corpus_config import CorpusPart
from ferryman_training.errors import CorpusError
from ferryman_training.lines import zstd

PAIRS = [
    SentencePair("a file", "un fichier"),
    SentencePair("line\u2028sep", "ligne"),
    SentencePair(" x ", " y "),
]


def tsv(folder) -> CorpusPart:
    path = folder / "c.tsv"
    path.write_text("".join(f"{p.source}\t{p.target}\n" for p in PAIRS), "utf-8")
    return CorpusPart(path=path)


def side_by_side(folder) -> CorpusPart:
    for name in ("source", "target"):
        (folder / f"c.{name}").write_text("".join(getattr(p, name) + "\n" for p in PAIRS), "utf-8")
    return CorpusPart(source=folder / "c.source", target=folder / "c.target")


def jsonl(folder) -> CorpusPart:
    rows = [{"n": 1, "translation": {"en": p.source, "fr": p.target}} for p in PAIRS]
    path = folder / "c.jsonl.zst"
    path.write_bytes(zstd.compress("".join(json.dumps(row) + "\n" for row in rows).encode()))
    return CorpusPart(path=path, source_field="translation.en", target_field="translation.fr")


FORMATS = [tsv, side_by_side, jsonl]


@pytest.mark.parametrize("write", FORMATS)
def test_every_format_gives_the_same_pairs(tmp_path, write):
    assert read_pairs(write(tmp_path)) == PAIRS


def test_a_path_alone_is_a_tsv_file(tmp_path):
    assert read_pairs(tsv(tmp_path).path) == PAIRS


def test_the_last_line_needs_no_end(tmp_path):
    path = tmp_path / "c.tsv"
    path.write_text("a\tb", "utf-8")
    assert read_pairs(path) == [SentencePair("a", "b")]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"a\tb\nonly one side\n", r":2: must be source TAB target.*'only one side'"),
        (b"a\tb\n\nc\td\n", ":2: must be source TAB target"),
        (b"a\tb\tc\n", r":1: .*'a\\tb\\tc'"),
        (b"a\tb\na\t \n", ":2: the target is blank"),
        (b"a\tb\n\tb\n", ":2: the source is blank"),
        (b"a\tb\nc\td\n\xff\xfe\tx\n", ":3: is not UTF-8"),
    ],
)
def test_a_malformed_corpus_is_refused_with_the_line(tmp_path, content, message):
    path = tmp_path / "c.tsv"
    path.write_bytes(content)
    with pytest.raises(CorpusError, match=message) as caught:
        read_pairs(path)
    assert str(caught.value).startswith(str(path))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", "is no JSON object"),
        ("{", "is no JSON object"),
        ("[" * 100_000, "is no JSON object"),
        ("[1]", 'has no field "source"'),
        ('{"source": "a"}', 'has no field "target"'),
        ('{"source": "a", "target": 3}', 'the field "target" must be text, but is 3'),
        ('{"source": "\\ud800", "target": "b"}', 'the field "source" is not Unicode'),
    ],
)
def test_a_malformed_line_of_json_is_refused_with_its_number(tmp_path, line, message):
    path = tmp_path / "c.jsonl"
    path.write_text('{"source": "a", "target": "b"}\n' + line + "\n", "utf-8")
    with pytest.raises(CorpusError) as caught:
        read_pairs(CorpusPart(path=path))
    assert str(caught.value).startswith(f"{path}:2: {message}")


@pytest.mark.parametrize(("short", "long"), [("source", "target"), ("target", "source")])
def test_two_files_of_different_length_are_refused(tmp_path, short, long):
    part = side_by_side(tmp_path)
    with (tmp_path / f"c.{long}").open("a", encoding="utf-8") as file:
        file.write("more\n")
    with pytest.raises(CorpusError) as caught:
        read_pairs(part)
    assert str(caught.value) == (
        f"{tmp_path}/c.{short}: ends after line 3, but {tmp_path}/c.{long} goes on; the two must "
        "have the same number of lines"
    )


def test_a_stream_gives_blank_sides_too_and_a_reader_refuses_them(tmp_path):
    part = side_by_side(tmp_path)
    for name in ("source", "target"):
        with (tmp_path / f"c.{name}").open("a", encoding="utf-8") as file:
            file.write("\n")
    assert list(stream_pairs(part)) == [*PAIRS, SentencePair("", "")]
    with pytest.raises(CorpusError, match=r"c\.source:4: .*corpus\.filters\.blank"):
        read_pairs(part)


def test_the_digest_of_one_file_is_that_of_the_file(tmp_path):
    part = tsv(tmp_path)
    assert digest([part]) == hashlib.sha256(part.path.read_bytes()).hexdigest()
    with pytest.raises(CorpusError, match="cannot be read"):
        digest([CorpusPart(path=tmp_path / "none")])


def test_the_digest_tells_corpora_apart_by_files_order_weight_and_fields_but_not_by_path(tmp_path):
    (tmp_path / "moved").mkdir()
    parts = [write(tmp_path) for write in FORMATS]
    weighty = parts[0].model_copy(update={"weight": 2.0})
    other_field = parts[2].model_copy(update={"source_field": "n"})
    corpora = [
        *([part] for part in parts),
        parts,
        parts[::-1],
        [weighty],
        [weighty, *parts[1:]],
        [*parts[:2], other_field],
    ]
    assert len({digest(corpus) for corpus in corpora}) == len(corpora)
    assert digest(parts) == digest([write(tmp_path / "moved") for write in FORMATS])
