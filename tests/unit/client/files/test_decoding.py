"""Decoding: order, back-pressure, going on where a run was stopped, and what is refused."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import subprocess
import sys

import pytest
from reversing import SMALL, Reverser, translation_of

from ferryman.errors import (
    ErrorDetails,
    InvalidRequestError,
    ServerError,
    UnavailableError,
    UnsupportedLanguagePairError,
)
from ferryman.files.chunks import chunks_of
from ferryman.files.errors import OtherRunError, OutputBusyError, OutputFileError
from ferryman.files.text_lines import LineFormat

LINES = [f"line {number} {'x' * (number % 11)}" if number % 9 else "" for number in range(100)]
WANTED = "".join(line[::-1] + "\n" for line in LINES)


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "in.txt"
    path.write_text("".join(line + "\n" for line in LINES), "utf-8")
    return path


@pytest.fixture
def output(tmp_path):
    return tmp_path / "out.txt"


class StopError(Exception):
    """What a test ends a run with."""


def stopping_after(calls):
    """A translator that ends the run at a call."""
    reverser = Reverser()

    async def translate(texts):
        nonlocal calls
        calls -= 1
        if calls < 0:
            raise StopError
        return await reverser(texts)

    translate.texts = reverser.texts
    return translate


def working_files(output):
    return sorted(path.name for path in output.parent.iterdir() if "ferryman" in path.name)


def test_the_order_of_the_input_is_kept_whatever_the_order_of_the_answers(
    decode, source, output, reverser
):
    result = decode(source, output, window=5)

    assert output.read_text("utf-8") == WANTED
    assert reverser.texts != [line for line in LINES if line]  # they did come in another order
    assert sorted(reverser.texts) == sorted(line for line in LINES if line)
    assert sum(step.units for step in result.steps) == result.summary.units == 100
    assert sum(step.bytes for step in result.steps) == source.stat().st_size
    assert working_files(output) == []


@pytest.mark.parametrize("window", [1, 2, 7])
def test_no_more_than_the_window_is_on_the_way(decode, source, output, reverser, window):
    decode(source, output, window=window)

    assert reverser.most_under_way == window


def test_while_one_chunk_hangs_no_more_than_two_windows_are_taken_from_the_input(
    decode, source, output
):
    released, taken, reverser = [], [], Reverser()

    async def translate(texts):
        taken.append(texts)
        if len(taken) == 1:
            while len(taken) < 100 and not released:
                before = len(taken)
                for _ in range(50):
                    await asyncio.sleep(0)
                if len(taken) == before:
                    released.append(before)
        return await reverser(texts)

    decode(source, output, translate=translate, window=4)

    assert released == [8]
    assert output.read_text("utf-8") == WANTED


@pytest.mark.parametrize("calls", [0, 1, 5, 17])
def test_a_run_that_was_stopped_goes_on_and_repeats_nothing_that_was_done(
    decode, source, output, calls
):
    first, second = stopping_after(calls), Reverser()
    with pytest.raises(StopError):
        decode(source, output, translate=first)
    assert not output.exists()

    decode(source, output, translate=second)

    assert output.read_text("utf-8") == WANTED
    lost = set(first.texts) & set(second.texts)
    assert len(lost) <= 3 * 4, "of the chunks that were on the way"
    assert len(first.texts) + len(second.texts) - len(lost) == len(set(LINES) - {""})


def test_what_came_before_its_turn_is_not_translated_again(decode, source, output):
    first, second = [], Reverser()

    async def translate(texts):
        if texts[0].startswith("line 1 "):  # the first chunk, for which the others wait
            while len(first) < 3:
                await asyncio.sleep(0)
            for _ in range(20):
                await asyncio.sleep(0)
            raise StopError
        first.extend(texts)
        return [translation_of(text) for text in texts]

    with pytest.raises(StopError):
        decode(source, output, translate=translate)
    decode(source, output, translate=second)

    assert len(first) > 12
    assert not set(first) & set(second.texts)
    assert output.read_text("utf-8") == WANTED


def test_a_run_of_other_options_or_another_model_is_not_mixed_in(decode, source, output):
    with pytest.raises(StopError):
        decode(source, output, translate=stopping_after(9), identity={"model": "a", "beam": "4"})

    with pytest.raises(OtherRunError, match=r"beam was 4, and is 5; model was a, and is b"):
        decode(source, output, identity={"model": "b", "beam": "5"})
    decode(source, output, identity={"model": "b", "beam": "5"}, restart=True)

    assert output.read_text("utf-8") == WANTED


def test_an_input_that_has_changed_is_not_mixed_in(decode, source, output):
    with pytest.raises(StopError):
        decode(source, output, translate=stopping_after(9))
    source.write_text(source.read_text("utf-8").replace("line 2 ", "LINE 2 "), "utf-8")

    with pytest.raises(OtherRunError, match="the input is not the one"):
        decode(source, output)


def test_an_input_that_only_grew_is_translated_to_its_new_end(decode, source, output):
    with pytest.raises(StopError):
        decode(source, output, translate=stopping_after(9))
    with source.open("a", encoding="utf-8") as file:
        file.write("abc\n")

    decode(source, output)

    assert output.read_text("utf-8") == WANTED + "cba\n"


def test_an_output_that_was_lost_in_part_is_done_again_from_there(decode, source, output):
    with pytest.raises(StopError):
        decode(source, output, translate=stopping_after(20))
    part = output.with_name("out.txt.ferryman-part")
    data = bytearray(part.read_bytes())
    data[len(data) // 2 :] = bytes(len(data) - len(data) // 2)  # as after a power failure
    part.write_bytes(data)

    decode(source, output)

    assert output.read_text("utf-8") == WANTED


def test_two_processes_cannot_write_one_output(decode, source, output):
    program = (
        "import fcntl, os, sys\n"
        f"lock = os.open({str(output) + '.ferryman-journal'!r}, os.O_RDWR | os.O_CREAT)\n"
        "fcntl.flock(lock, fcntl.LOCK_EX)\n"
        "print('locked', flush=True)\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        other.stdout.readline()
        with pytest.raises(OutputBusyError, match="held by another process"):
            decode(source, output)
        other.stdin.close()
    decode(source, output)

    assert output.read_text("utf-8") == WANTED


@pytest.mark.parametrize("room", [0, 1, 500, 3000, 6500])
def test_a_full_disk_is_told_and_nothing_that_was_done_is_lost(
    decode, source, output, monkeypatch, room
):
    write, first, second = os.write, Reverser(), Reverser()

    def write_while_there_is_room(descriptor, data):
        nonlocal room
        if not room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written = write(descriptor, bytes(data)[:room])
        room -= written
        return written

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", write_while_there_is_room)
        with pytest.raises(OutputFileError, match="No space left on device"):
            decode(source, output, translate=first)
    assert not output.exists()
    decode(source, output, translate=second)

    assert output.read_text("utf-8") == WANTED
    assert len(set(first.texts) & set(second.texts)) <= 3 * 4


def refusing(word, error):
    reverser = Reverser()

    async def translate(texts):
        if any(word in text for text in texts):
            raise error
        return await reverser(texts)

    return translate


def test_a_text_that_is_refused_fails_alone(decode, source, output):
    details = ErrorDetails(status="INVALID_ARGUMENT", reason="INPUT_TOO_LONG")
    error = InvalidRequestError("contents[2] is too long", details)

    result = decode(source, output, translate=refusing("line 52 ", error))

    lines = output.read_text("utf-8").splitlines()
    assert lines == [line[::-1] if number != 52 else "" for number, line in enumerate(LINES)]
    assert result.summary.failed == 1
    (failure,) = (output.with_name("out.txt.failures.jsonl")).read_text("utf-8").splitlines()
    assert json.loads(failure)["line"] == 53
    assert json.loads(failure)["reason"] == "INPUT_TOO_LONG"
    assert json.loads(failure)["source"] == LINES[52]


def test_failures_of_a_run_that_was_stopped_are_in_the_side_file_too(decode, source, output):
    (source.with_name("in2.txt")).write_bytes(b"\xff\n" * 5 + source.read_bytes() + b"\xff\n")
    with pytest.raises(StopError):
        decode(source.with_name("in2.txt"), output, translate=stopping_after(9))
    result = decode(source.with_name("in2.txt"), output)

    side = output.with_name("out.txt.failures.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line)["line"] for line in side] == [1, 2, 3, 4, 5, 106]
    assert result.summary.failed == 6


def test_the_side_file_of_an_earlier_output_does_not_stay(decode, source, output):
    side = output.with_name("out.txt.failures.jsonl")
    side.write_text("{}\n", "utf-8")

    decode(source, output)

    assert not side.exists()


@pytest.mark.parametrize(
    "error",
    [
        UnavailableError("nobody there"),
        UnsupportedLanguagePairError("no such pair"),
        ServerError("a defect", ErrorDetails(status="INTERNAL")),
        InvalidRequestError("decoding.beam_size is too large"),
    ],
)
def test_an_error_that_has_nothing_to_do_with_texts_ends_the_run(decode, source, output, error):
    with pytest.raises(type(error)):
        decode(source, output, translate=refusing("line", error))
    assert not output.exists()
    decode(source, output)

    assert output.read_text("utf-8") == WANTED


def test_a_file_without_a_line_makes_a_file_without_a_line(decode, tmp_path):
    (tmp_path / "in.txt").write_bytes(b"")

    decode(tmp_path / "in.txt", tmp_path / "out.txt")

    assert (tmp_path / "out.txt").read_bytes() == b""


def test_an_older_output_is_replaced_when_the_new_one_is_complete_and_not_before(
    decode, source, output
):
    output.write_text("old", "utf-8")
    with pytest.raises(StopError):
        decode(source, output, translate=stopping_after(9))
    assert output.read_text("utf-8") == "old"
    decode(source, output)

    assert output.read_text("utf-8") == WANTED


def test_chunks_are_within_their_size_and_together_they_are_the_file(source):
    units = list(LineFormat().units(source))
    chunks = list(chunks_of(units, SMALL))

    assert [unit for chunk in chunks for unit in chunk.units] == units
    for chunk in chunks:
        assert len(chunk.texts) <= SMALL.texts
        assert chunk.bytes <= SMALL.bytes
        assert len(chunk.units) <= SMALL.units
        assert chunk.start == sum(len(earlier.units) for earlier in chunks[: chunk.number])
