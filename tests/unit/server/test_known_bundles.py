"""Bundles that were loaded before are remembered where that is possible, and nothing ever fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from ferryman_server.known_bundles import KnownBundles, cache_file


@pytest.fixture
def path(tmp_path):
    return tmp_path / "cache" / "ferryman" / "known-bundles"


def test_what_was_added_is_known_to_the_next_process(path):
    KnownBundles(path).add("abc fp32")
    KnownBundles(path).add("def int8")
    known = KnownBundles(path)
    assert "abc fp32" in known
    assert "def int8" in known
    assert "abc" not in known
    assert "abc fp32 " not in known
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_nothing_is_known_where_there_is_no_file(path):
    assert "abc fp32" not in KnownBundles(path)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\0", b"abc fp3", b"xabc fp32\nabc fp32"])
def test_a_file_with_nonsense_knows_nothing(path, content):
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    assert "abc fp32" not in KnownBundles(path)


def test_a_file_that_cannot_be_written_is_no_fault(tmp_path):
    (tmp_path / "cache").write_text("a file in the place of a folder")
    known = KnownBundles(tmp_path / "cache" / "ferryman" / "known-bundles")
    known.add("abc fp32")
    assert "abc fp32" not in known


def test_a_full_file_begins_anew(path):
    path.parent.mkdir(parents=True)
    path.write_text("x" * 70_000 + "\n")
    known = KnownBundles(path)
    known.add("abc fp32")
    assert path.read_text() == "abc fp32\n"


@pytest.mark.parametrize(
    ("variable", "expected"),
    [
        ("/somewhere", "/somewhere/ferryman/known-bundles"),
        ("", "~/.cache/ferryman/known-bundles"),
        ("relative", "~/.cache/ferryman/known-bundles"),
    ],
)
def test_the_place_is_that_of_the_xdg_specification(monkeypatch, variable, expected):
    monkeypatch.setenv("XDG_CACHE_HOME", variable)
    assert cache_file() == Path(expected).expanduser()
