"""Corpora that can be read, and what is said about those that cannot."""

from __future__ import annotations

import gzip
import hashlib
import lzma

import pytest

from ferryman_training.corpus import SentencePair, digest, read_pairs
from ferryman_training.errors import CorpusError

TEXT = "a file\tun fichier\nline\u2028sep\tligne\r\n x \t y \n"
PAIRS = [
    SentencePair("a file", "un fichier"),
    SentencePair("line\u2028sep", "ligne"),
    SentencePair(" x ", " y "),
]


@pytest.mark.parametrize(
    ("name", "compress"),
    [("c.tsv", bytes), ("c.tsv.gz", gzip.compress), ("c.tsv.xz", lzma.compress)],
)
def test_pairs_are_read_plain_and_compressed(tmp_path, name, compress):
    path = tmp_path / name
    path.write_bytes(compress(TEXT.encode()))
    assert read_pairs(path) == PAIRS


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
        (b"a\tb\na\t \n", ":2: .*both not blank"),
        (b"a\tb\nc\td\n\xff\xfe\tx\n", ":3: is not UTF-8"),
    ],
)
def test_a_malformed_corpus_is_refused_with_the_line(tmp_path, content, message):
    path = tmp_path / "c.tsv"
    path.write_bytes(content)
    with pytest.raises(CorpusError, match=message) as caught:
        read_pairs(path)
    assert str(caught.value).startswith(str(path))


@pytest.mark.parametrize("suffix", ["", ".gz", ".xz"])
def test_a_missing_corpus_is_named(tmp_path, suffix):
    path = tmp_path / f"none.tsv{suffix}"
    with pytest.raises(CorpusError, match=r"none\.tsv.*No such file"):
        read_pairs(path)


@pytest.mark.parametrize(
    ("suffix", "content"),
    [
        (".gz", b"plain"),
        (".xz", b"plain"),
        (".gz", gzip.compress(TEXT.encode())[:-9]),
        (".xz", lzma.compress(TEXT.encode())[:-9]),
    ],
)
def test_a_damaged_archive_is_refused(tmp_path, suffix, content):
    path = tmp_path / f"c.tsv{suffix}"
    path.write_bytes(content)
    with pytest.raises(CorpusError, match="cannot be read"):
        read_pairs(path)


def test_the_digest_is_that_of_the_file(tmp_path):
    path = tmp_path / "c.tsv"
    path.write_bytes(b"abc")
    assert digest(path) == hashlib.sha256(b"abc").hexdigest()
    with pytest.raises(CorpusError, match="cannot be read"):
        digest(tmp_path / "none")
