"""Lines come out as they went in, in whatever pieces they arrive; faults name their place."""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ferryman.commands.lines import InputError, LineReader, open_lines

LINES = st.text(st.characters(exclude_characters="\n\r\ufeff", exclude_categories=["Cs"]))


@contextmanager
def pipe():
    reading, writing = os.pipe()
    try:
        yield reading, writing
    finally:
        os.close(reading)


def lines_of(data, size=1 << 16):
    """Return a reader at its end, and its lines, when the data arrives in pieces of a size."""
    with pipe() as (reading, writing):

        def write():
            for begin in range(0, len(data), size):
                os.write(writing, data[begin : begin + size])
            os.close(writing)

        writer = threading.Thread(target=write)
        writer.start()
        reader, lines = LineReader(reading, "stdin"), []
        while not reader.at_end:
            lines += reader.burst()
        writer.join()
        return reader, lines


@given(
    lines=st.lists(LINES, max_size=20), end=st.sampled_from(["\n", "\r\n"]), size=st.integers(1, 9)
)
def test_lines_come_out_as_they_went_in(lines, end, size):
    data = "".join(line + end for line in lines).encode()

    assert lines_of(data, size)[1] == lines


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"", []),
        (b"\n", [""]),
        (b"\n\n", ["", ""]),
        (b"a", ["a"]),
        (b"a\n\nb", ["a", "", "b"]),
        ("\ufeffa\n\ufeffb\n".encode(), ["a", "\ufeffb"]),
        ("a\u2028b\x0bc\x85d\n".encode(), ["a\u2028b\x0bc\x85d"]),
    ],
)
def test_only_newlines_end_lines(data, lines):
    assert lines_of(data)[1] == lines


def test_bytes_that_are_no_text_end_the_input_and_are_named():
    reader, lines = lines_of(b"good\nalso \xc3\xa9\nbad: \xe9t\xe9\nlost\n")

    assert lines == ["good", "also \u00e9"]
    assert "stdin: line 3, byte 6 (0xe9) is not UTF-8" in str(reader.fault)
    assert "iconv" in str(reader.fault)


def test_an_endless_line_ends_the_input():
    reader, lines = lines_of(b"good\n" + b"x" * ((16 << 20) + 1))

    assert lines == ["good"]
    assert "line 2 is longer than 16 MiB" in str(reader.fault)


def test_a_pause_ends_a_burst():
    with pipe() as (reading, writing):
        reader = LineReader(reading, "stdin")
        os.write(writing, b"a\nb\nc")
        assert list(reader.burst()) == ["a", "b"]
        assert not reader.at_end

        os.write(writing, b"d\n")
        assert list(reader.burst()) == ["cd"]

        os.write(writing, b"e")
        os.close(writing)
        assert list(reader.burst()) == ["e"]
        assert list(reader.burst()) == []
        assert reader.at_end


def test_a_file_tells_its_size(tmp_path):
    file = tmp_path / "text"
    file.write_bytes(b"a\nb\n")

    with open_lines(file) as (reader, size):
        assert list(reader.burst()) == ["a", "b"]
        assert size == 4


@pytest.mark.parametrize("name", ["missing", "."])
def test_a_file_that_cannot_be_read_is_named(tmp_path, name):
    with pytest.raises(InputError, match="cannot read"), open_lines(tmp_path / name):
        pass
