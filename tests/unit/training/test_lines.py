"""Lines of files, plain and compressed, and what is said about files that are damaged."""

from __future__ import annotations

import gzip
import lzma

import pytest

from ferryman_training.errors import CorpusError
from ferryman_training.lines import lines, zstd

TEXT = "a file\nline\u2028sep\n\n x \t y \r\nlast"
LINES = ["a file", "line\u2028sep", "", " x \t y ", "last"]
COMPRESSIONS = [
    ("", bytes),
    (".gz", gzip.compress),
    (".xz", lzma.compress),
    (".zst", zstd.compress),
]


@pytest.mark.parametrize(("suffix", "compress"), COMPRESSIONS)
def test_lines_end_at_line_feeds_only_whatever_the_compression(tmp_path, suffix, compress):
    path = tmp_path / f"c.txt{suffix}"
    path.write_bytes(compress(TEXT.encode()))
    assert list(lines(path)) == LINES


@pytest.mark.parametrize(("suffix", "compress"), COMPRESSIONS)
def test_archives_made_of_several_are_read_to_their_end(tmp_path, suffix, compress):
    path = tmp_path / f"c.txt{suffix}"
    path.write_bytes(compress(b"a\n") + compress(b"b\n"))
    assert list(lines(path)) == ["a", "b"]


def test_a_byte_order_mark_is_no_text(tmp_path):
    path = tmp_path / "c.txt"
    path.write_text("\ufeffa\n\ufeffb\n", "utf-8")
    assert list(lines(path)) == ["a", "\ufeffb"]


@pytest.mark.parametrize("suffix", ["", ".gz", ".xz", ".zst"])
def test_a_missing_file_is_named(tmp_path, suffix):
    path = tmp_path / f"none.txt{suffix}"
    with pytest.raises(CorpusError, match=r"none\.txt.*No such file"):
        list(lines(path))


@pytest.mark.parametrize(("suffix", "compress"), COMPRESSIONS[1:])
@pytest.mark.parametrize("damage", ["not an archive", "cut off"])
def test_a_damaged_archive_is_refused(tmp_path, suffix, compress, damage):
    path = tmp_path / f"c.txt{suffix}"
    whole = compress(TEXT.encode() * 9)
    path.write_bytes(b"plain text" if damage == "not an archive" else whole[:-5])
    with pytest.raises(CorpusError, match=r"c\.txt.*cannot be read"):
        list(lines(path))


def test_a_line_that_is_not_utf8_is_named(tmp_path):
    path = tmp_path / "c.txt"
    path.write_bytes(b"a\nb\n\xff\xfe\n")
    with pytest.raises(CorpusError, match=r"c\.txt:3: is not UTF-8 \(invalid start byte\)"):
        list(lines(path))
