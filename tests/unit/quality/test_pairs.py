"""Test sets: what is a pair, and what to say of what is none."""

from __future__ import annotations

import gzip
import lzma

import pytest

from ferryman_quality import Pair, PairsError, read_pairs


def test_pairs_are_read_with_their_unusual_characters(tmp_path):
    file = tmp_path / "test.tsv"
    file.write_bytes("a\u2028b\tc\r\n\nd e\tf\n".encode())
    assert read_pairs(file) == [Pair("a\u2028b", "c"), Pair("d e", "f")]


@pytest.mark.parametrize(("suffix", "compress"), [(".gz", gzip.compress), (".xz", lzma.compress)])
def test_compressed_test_sets_are_read_and_damaged_ones_told(tmp_path, suffix, compress):
    file = tmp_path / f"test.tsv{suffix}"
    content = compress(b"un\tdeux\n")
    file.write_bytes(content)
    assert read_pairs(file) == [Pair("un", "deux")]
    for damaged in (content[:-9], b"un\tdeux\n"):
        file.write_bytes(damaged)
        with pytest.raises(PairsError, match=rf"test\.tsv\{suffix}: "):
            read_pairs(file)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"one field\n", r"test\.tsv:1: must be source TAB target"),
        (b"a\tb\nc\td\te\n", r"test\.tsv:2: "),
        (b"a\t \n", r"test\.tsv:1: "),
        (b"", "has no sentence pairs"),
        (b"a\t\xff\n", "is not UTF-8 at byte 2"),
    ],
)
def test_what_is_no_pair_is_told_with_its_line(tmp_path, content, message):
    file = tmp_path / "test.tsv"
    file.write_bytes(content)
    with pytest.raises(PairsError, match=message):
        read_pairs(file)


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(PairsError, match="No such file") as caught:
        read_pairs(tmp_path / "none.tsv")
    assert caught.value.exit_code == 4
