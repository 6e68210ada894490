"""SIGKILL at any moment of a run, then the same command: the same bytes as without it."""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
import signal
import time
import warnings

import pytest
from reversing import Reverser

from ferryman.files.chunks import ChunkSize

CALLS = ("open", "write", "ftruncate", "fsync", "replace", "unlink")
"""Every way in which our code changes what is on the disk."""


def killed_at(moment, action):
    """Run an action in a child that is killed right before its n-th such call, counted from 1.

    A write is torn: half of its bytes are written before the end.

    Returns:
        False where the action came to its end before that.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # no thread of ours does anything
        child = os.fork()
    if child == 0:
        try:
            with pytest.MonkeyPatch.context() as patch:
                _kill_at(patch, moment)
                action()
            os._exit(0)
        except BaseException:
            os._exit(1)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, -signal.SIGKILL), status
    return status != 0


def _kill_at(patch, moment):
    left = moment

    def counted(name, call):
        def instead(*arguments, **options):
            nonlocal left
            left -= 1
            if left == 0:
                if name == "write":
                    descriptor, data = arguments
                    call(descriptor, bytes(data)[: len(data) // 2])
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*arguments, **options)

        return instead

    for name in CALLS:
        patch.setattr(os, name, counted(name, getattr(os, name)))


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(params=["out.txt", "out.txt.gz"])
def output(request, tmp_path):
    return tmp_path / "run" / request.param


def check(decode, source, output, moment, whole):
    """Kill a run, repeat it, and compare; return whether it was not over before."""
    output.parent.mkdir()
    killed = killed_at(moment, lambda: decode(source, output))
    assert not output.exists() or digest(output) == whole, moment
    again = Reverser()
    decode(source, output, translate=again)
    assert digest(output) == whole, moment
    names = {path.name for path in output.parent.iterdir()}
    assert names == {output.name, f"{output.name}.failures.jsonl"}, moment
    for path in output.parent.iterdir():
        path.unlink()
    output.parent.rmdir()
    return killed


def test_a_run_that_is_killed_at_any_call_comes_to_the_same_bytes(decode, tmp_path, output):
    source = tmp_path / "in.txt"
    source.write_bytes(b"".join(b"line %d\n" % n for n in range(24)) + b"\xff\n\n")
    decode(source, tmp_path / output.name)
    whole = digest(tmp_path / output.name)

    moment = 1
    while check(decode, source, output, moment, whole):
        moment += 1
    assert moment > 30  # it was killed in the middle of things, again and again


def test_a_run_that_is_killed_twice_at_any_call_comes_to_the_same_bytes(
    decode, tmp_path, output, seed
):
    source = tmp_path / "in.txt"
    source.write_bytes(b"".join(b"line %d\n" % n for n in range(24)) + b"\xff\n\n")
    decode(source, tmp_path / output.name)
    whole = digest(tmp_path / output.name)
    chance = random.Random(seed)
    for _ in range(20):
        output.parent.mkdir()
        for moment in (chance.randint(1, 50), chance.randint(1, 40)):
            killed_at(moment, lambda: decode(source, output))
        decode(source, output)
        assert digest(output) == whole
        for path in output.parent.iterdir():
            path.unlink()
        output.parent.rmdir()


class SlowReverser(Reverser):
    """Takes a moment for each chunk, so that a kill comes in the middle of things."""

    async def __call__(self, texts):
        await asyncio.sleep(0.002)
        return await super().__call__(texts)


def killed_after(seconds, journal, action):
    """Run an action in a child that is killed a time after its journal has grown.

    So it comes forward, however slow the machine is.

    Returns:
        Whether it was not over before that.
    """
    before = journal.stat().st_size if journal.exists() else 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        try:
            action()
            os._exit(0)
        except BaseException:
            os._exit(1)
    over = status = 0
    while not over and (not journal.exists() or journal.stat().st_size <= before):
        time.sleep(0.005)
        over, status = os.waitpid(child, os.WNOHANG)
    if not over:
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
    status = os.waitstatus_to_exitcode(status)
    assert status in (0, -signal.SIGKILL), status
    return status != 0


@pytest.mark.deep
def test_twenty_thousand_lines_and_a_hundred_random_kills_come_to_the_same_bytes(
    decode, tmp_path, output, seed
):
    chance = random.Random(seed)
    source = tmp_path / "in.txt"
    lines = ["".join(chance.choices("abcdé  ", k=chance.randint(0, 80))) for _ in range(20_000)]
    source.write_text("".join(line + "\n" for line in lines), "utf-8")
    decode(source, tmp_path / output.name, chunk_size=ChunkSize())
    whole, kills = digest(tmp_path / output.name), 0

    def run(translate):
        return decode(source, output, translate=translate, chunk_size=ChunkSize(), window=8)

    while kills < 100:
        output.parent.mkdir(exist_ok=True)
        journal = output.with_name(output.name + ".ferryman-journal")
        while killed_after(chance.uniform(0, 0.1), journal, lambda: run(SlowReverser())):
            kills += 1
        run(Reverser())
        assert digest(output) == whole
        output.unlink()
