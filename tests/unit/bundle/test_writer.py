"""Writing is deterministic, and whole or not at all."""

from __future__ import annotations

import os

import pytest

from ferryman_bundle import BundleError
from ferryman_bundle.writer import write_bundle


def test_equal_bundles_are_equal_bytes(tmp_path, manifest, contents):
    write_bundle(tmp_path / "one", manifest, contents)
    write_bundle(tmp_path / "two", manifest, dict(reversed(contents.items())))
    for file in sorted((tmp_path / "one").iterdir()):
        assert file.read_bytes() == (tmp_path / "two" / file.name).read_bytes()
    assert len(list((tmp_path / "two").iterdir())) == len(contents) + 2


def test_anyone_may_read_a_bundle(pristine):
    assert pristine.stat().st_mode & 0o777 == 0o755


def test_missing_parents_are_made(tmp_path, manifest, contents):
    write_bundle(tmp_path / "a" / "b" / "small", manifest, contents)
    assert (tmp_path / "a" / "b" / "small" / "manifest.json").is_file()


@pytest.mark.parametrize("occupy", ["mkdir", "touch"])
def test_nothing_that_exists_is_overwritten(tmp_path, manifest, contents, occupy):
    getattr(tmp_path / "small", occupy)()
    with pytest.raises(BundleError, match="small: exists already; remove it"):
        write_bundle(tmp_path / "small", manifest, contents)


def test_a_manifest_of_other_files_is_not_written(tmp_path, manifest, contents):
    with pytest.raises(BundleError, match="describes other files"):
        write_bundle(tmp_path / "small", manifest, {**contents, "LICENSE": b"other"})
    assert not list(tmp_path.iterdir())


def test_a_failure_on_the_way_leaves_nothing(tmp_path, manifest, contents, monkeypatch):
    synchronized = []

    def fail_at_the_third_file(descriptor):
        synchronized.append(descriptor)
        if len(synchronized) == 3:
            raise OSError("no space left on device")

    monkeypatch.setattr(os, "fsync", fail_at_the_third_file)
    with pytest.raises(OSError, match="no space left"):
        write_bundle(tmp_path / "small", manifest, contents)
    assert not list(tmp_path.iterdir())
