"""Downloads: whole and right or not there, and going on where they were cut off."""

from __future__ import annotations

import hashlib

import pytest

from ferryman_training.debian.download import download, fetch
from ferryman_training.debian.errors import MirrorError

CONTENT = bytes(range(256)) * 5_000


@pytest.fixture
def served(mirror):
    (mirror.root / "file").write_bytes(CONTENT)
    return mirror


def get(mirror, path, *, sha256=None, seen=None, waits=None):
    download(
        f"{mirror.url}/file",
        path,
        size=len(CONTENT),
        sha256=sha256 or hashlib.sha256(CONTENT).hexdigest(),
        watch=(seen if seen is not None else []).append,
        sleep=(waits if waits is not None else []).append,
    )


def test_a_file_comes_once_and_is_not_asked_for_again(served, tmp_path):
    path, seen = tmp_path / "folder" / "file", []
    get(served, path, seen=seen)
    assert path.read_bytes() == CONTENT
    assert (seen[0], seen[-1]) == (0, len(CONTENT))
    assert seen == sorted(seen)
    get(served, path, seen=seen)
    assert served.requests == [("/file", None)]
    assert seen[-1] == len(CONTENT)


def test_a_download_that_is_cut_off_goes_on_where_it_was(served, tmp_path):
    served.cut["/file"] = 700_000
    waits: list[float] = []
    get(served, tmp_path / "file", waits=waits)
    assert served.requests == [("/file", None), ("/file", "bytes=700000-")]
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert waits == [2.0]


def test_what_an_earlier_run_left_is_not_fetched_again(served, tmp_path):
    (tmp_path / "file.partial").write_bytes(CONTENT[:1_000_000])
    get(served, tmp_path / "file")
    assert served.requests == [("/file", "bytes=1000000-")]
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert not (tmp_path / "file.partial").exists()


def test_a_server_without_ranges_sends_all_again(served, tmp_path):
    served.ranges = False
    (tmp_path / "file.partial").write_bytes(b"x" * 1000)
    get(served, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_a_leftover_that_is_too_long_is_thrown_away(served, tmp_path):
    (tmp_path / "file.partial").write_bytes(CONTENT + b"more")
    get(served, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_a_file_that_is_there_but_damaged_is_fetched_again(served, tmp_path):
    (tmp_path / "file").write_bytes(b"x" * len(CONTENT))
    get(served, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_a_wrong_digest_is_refused_and_leaves_nothing(served, tmp_path):
    with pytest.raises(MirrorError, match=r"has the SHA-256 .*, but the index says 00ff"):
        get(served, tmp_path / "file", sha256="00ff")
    assert [p.name for p in tmp_path.iterdir()] == ["mirror"]


def test_a_server_that_fails_is_tried_again_with_growing_pauses(served, tmp_path):
    served.failures["/file"] = [503, 500]
    waits: list[float] = []
    get(served, tmp_path / "file", waits=waits)
    assert waits == [2.0, 4.0]
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_a_server_that_keeps_failing_is_an_error_and_keeps_what_came(served, tmp_path):
    (tmp_path / "file.partial").write_bytes(CONTENT[:1000])
    served.failures["/file"] = [503] * 9
    with pytest.raises(MirrorError, match="503"):
        get(served, tmp_path / "file")
    assert len(served.requests) == 5
    assert (tmp_path / "file.partial").stat().st_size == 1000


def test_a_missing_file_is_not_asked_for_again(mirror, tmp_path):
    with pytest.raises(MirrorError, match="404"):
        get(mirror, tmp_path / "file")
    assert len(mirror.requests) == 1
    with pytest.raises(MirrorError, match="404"):
        fetch(f"{mirror.url}/none")


def test_a_mirror_that_is_not_there_is_an_error_that_names_it(mirror, tmp_path):
    mirror.close()
    with pytest.raises(MirrorError, match=r"127\.0\.0\.1.*refused.*goes on from here"):
        get(mirror, tmp_path / "file")
    with pytest.raises(MirrorError, match="refused"):
        fetch(f"{mirror.url}/none")


def test_a_proxy_of_the_environment_is_used(served, tmp_path, monkeypatch):
    monkeypatch.setenv("http_proxy", served.url)
    monkeypatch.setenv("no_proxy", "")
    with pytest.raises(MirrorError, match="404"):
        fetch("http://mirror.invalid/debian/Release")
    assert served.requests == [("http://mirror.invalid/debian/Release", None)]
