"""An entry is made once, is whole or not there, and is made again where it is damaged."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import time
from pathlib import Path

import pytest

from ferryman_training.cache import Cache
from ferryman_training.errors import CorpusError


def write(folder: Path) -> None:
    (folder / "array").write_bytes(b"12345")


def refuse(folder: Path) -> None:
    raise AssertionError("the entry is there")


def visible(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


def test_an_entry_is_made_once_for_each_key_and_kind(tmp_path):
    cache = Cache(tmp_path / "cache")
    entry = cache.obtain("text", {"a": 1}, write)
    assert (entry / "array").read_bytes() == b"12345"
    assert cache.obtain("text", {"a": 1}, refuse) == entry
    others = {cache.obtain("text", {"a": 2}, write), cache.obtain("tokens", {"a": 1}, write)}
    assert len(others | {entry}) == 3
    assert json.loads((entry / "entry.json").read_text("utf-8"))["key"] == {"a": 1}


@pytest.mark.parametrize("damage", ["cut off", "missing", "no record", "bad record"])
def test_a_damaged_entry_is_made_again(tmp_path, damage):
    cache = Cache(tmp_path)
    entry = cache.obtain("text", {}, write)
    match damage:
        case "cut off":
            (entry / "array").write_bytes(b"123")
        case "missing":
            (entry / "array").unlink()
        case "no record":
            (entry / "entry.json").unlink()
        case _:
            (entry / "entry.json").write_text("{", "utf-8")
    assert cache.obtain("text", {}, write) == entry
    assert (entry / "array").read_bytes() == b"12345"
    assert visible(tmp_path) == [entry.name]


def test_an_entry_that_could_not_be_made_leaves_nothing(tmp_path):
    cache = Cache(tmp_path)

    def fail(folder: Path) -> None:
        write(folder)
        raise CorpusError("the corpus is no good")

    with pytest.raises(CorpusError, match="no good"):
        cache.obtain("text", {}, fail)
    assert [p.suffix for p in tmp_path.iterdir()] == [".lock"]


def test_a_full_disk_is_an_error_that_says_so_and_leaves_nothing(tmp_path):
    def fill(folder: Path) -> None:
        write(folder)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(CorpusError, match=r"cannot be written \(No space left on device\)"):
        Cache(tmp_path).obtain("text", {}, fill)
    assert [p.suffix for p in tmp_path.iterdir()] == [".lock"]


def test_a_cache_that_cannot_be_made_is_an_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(CorpusError, match="the cache cannot be written"):
        Cache(tmp_path / "file").obtain("text", {}, write)


def die_half_way(folder: Path) -> None:
    def half(path: Path) -> None:
        (path / "array").write_bytes(b"1")
        os._exit(9)

    Cache(folder).obtain("text", {}, half)


def test_what_a_killed_process_left_is_removed_and_the_entry_made(tmp_path):
    process = multiprocessing.get_context("fork").Process(target=die_half_way, args=(tmp_path,))
    process.start()
    process.join(30)
    assert process.exitcode == 9
    assert visible(tmp_path) == []
    assert list(tmp_path.glob(".*.partial"))
    entry = Cache(tmp_path).obtain("text", {}, write)
    assert (entry / "array").read_bytes() == b"12345"
    assert not list(tmp_path.glob(".*.partial"))


def obtain_slowly(folder: Path) -> None:
    def slow(path: Path) -> None:
        with (folder / "builds").open("a") as file:
            file.write("x")
        time.sleep(0.3)
        write(path)

    Cache(folder / "cache").obtain("text", {}, slow)


def test_processes_that_want_the_same_entry_at_once_make_it_once(tmp_path):
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=obtain_slowly, args=(tmp_path,)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(30)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert (tmp_path / "builds").read_text() == "x"
