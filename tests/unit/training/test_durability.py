"""Whole or not there: every moment at which a process may be killed, and disks that are full."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from kills import killed_at

from ferryman_training.durability import (
    discard_directory,
    remove_leftovers,
    write_atomically,
    write_directory,
)
from ferryman_training.errors import CheckpointError

FULL = OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("failure", [FULL, RuntimeError("torch\nat length")])
def test_a_file_that_cannot_be_written_leaves_the_one_before(tmp_path, failure):
    path = tmp_path / "file"
    path.write_text("before", "utf-8")

    def write_half(unfinished):
        unfinished.write_text("aft", "utf-8")
        raise failure

    with pytest.raises(CheckpointError, match="could not be written") as caught:
        write_atomically(path, write_half)
    assert "\n" not in str(caught.value)
    assert path.read_text("utf-8") == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_is_never_seen_half_written(tmp_path):
    path = tmp_path / "file"
    path.write_text("before", "utf-8")
    seen = []

    def write(unfinished):
        with unfinished.open("w", encoding="utf-8") as file:
            for part in ("af", "ter"):
                file.write(part)
                file.flush()
                seen.append(path.read_text("utf-8"))

    write_atomically(path, write)
    assert seen == ["before", "before"]
    assert path.read_text("utf-8") == "after"


def fill(directory: Path) -> None:
    (directory / "a").write_text("1", "utf-8")
    (directory / "b").write_text("2", "utf-8")


def contents(directory: Path) -> dict[str, str]:
    return {path.name: path.read_text("utf-8") for path in directory.iterdir()}


def test_a_directory_appears_with_all_its_files_or_not_at_all(tmp_path):
    def fill_half(directory):
        fill(directory)
        assert not (tmp_path / "new").exists()
        raise FULL

    with pytest.raises(CheckpointError, match=r"new: could not be written \(No space left"):
        write_directory(tmp_path / "new", fill_half)
    assert list(tmp_path.iterdir()) == []
    write_directory(tmp_path / "new", fill)
    assert contents(tmp_path / "new") == {"a": "1", "b": "2"}
    with pytest.raises(CheckpointError, match="is there already"):
        write_directory(tmp_path / "new", fill_half)


def replace_directory(old: Path, new: Path) -> None:
    write_directory(new, fill)
    discard_directory(old)


def test_whenever_a_process_is_killed_what_can_be_seen_is_whole_and_nothing_is_lost(tmp_path):
    moment, killed = 0, True
    while killed:
        moment += 1
        folder = tmp_path / str(moment)
        old, new = folder / "old", folder / "new"
        old.mkdir(parents=True)
        fill(old)
        killed = killed_at(moment, lambda old=old, new=new: replace_directory(old, new))
        seen = {p.name: contents(p) for p in folder.iterdir() if not p.name.startswith(".")}
        assert seen, moment
        assert seen.keys() <= {"old", "new"}
        assert all(files == {"a": "1", "b": "2"} for files in seen.values()), moment
        remove_leftovers(folder)
        assert {p.name for p in folder.iterdir()} == seen.keys()
    assert moment > 10  # it was killed in the middle of things, again and again
    assert seen.keys() == {"new"}
