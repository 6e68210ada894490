"""``ferryman translate`` against a real server: what goes in must come out, or say why not."""

from __future__ import annotations

import random
import socket
import string

import pytest


@pytest.fixture
def translate(ferryman, server):
    def run(*arguments: str, **options):
        finished = ferryman("translate", "--server", server.address, *arguments, **options)
        assert "Traceback" not in finished.stderr
        return finished

    return run


@pytest.mark.parametrize("text", ["\n   \n\n\t\u3000\n", ""])
def test_blank_lines_come_back_blank_and_as_many(translate, text):
    finished = translate(input=text)
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.strip() == ""
    assert finished.stdout.count("\n") == text.count("\n")


def test_a_blank_text_comes_back_blank(translate):
    finished = translate(" ")
    assert (finished.returncode, finished.stdout.strip()) == (0, "")


def test_a_text_of_ten_thousand_words_is_translated_line_by_line(translate):
    chance = random.Random(7)
    lines = [" ".join(chance.choices(string.ascii_lowercase, k=8)) for _ in range(1250)]
    finished = translate(input="\n".join(lines), timeout=120)
    assert finished.returncode == 0, finished.stderr
    assert len(finished.stdout.splitlines()) == 1250
    right = sum(a == b[::-1] for a, b in zip(finished.stdout.splitlines(), lines, strict=True))
    assert right >= 1237


@pytest.mark.parametrize("text", ["a b c d e " * 2000, "x" * 5000], ids=["words", "one word"])
def test_a_sentence_that_is_too_long_is_translated_in_pieces(translate, server, text):
    finished = translate(text, timeout=120)
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.strip()
    assert "in pieces" in finished.stderr
    read = server.wait_for(rf"characters={len(text)} sentences=(\d+) source_tokens=(\d+)")
    pieces, tokens = int(read[1]), int(read[2])
    assert pieces > 20
    assert tokens > len(text) / 2, "nothing of the text was left out"


def test_input_that_is_no_utf_8_is_refused_with_its_place(translate):
    finished = translate(input="a b c\n\udcff\udcfe d\n")  # the bytes FF FE, on the way to stdin
    assert finished.returncode == 4
    assert "UTF-8" in finished.stderr
    assert finished.stdout == "c b a\n"


def test_no_server_is_told_with_its_address(ferryman):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    finished = ferryman("translate", "--server", address, "--timeout", "5", "a b c")
    assert finished.returncode in (5, 7)
    assert address in finished.stderr
    assert "Traceback" not in finished.stderr
    assert finished.stdout == ""


def test_an_unknown_model_is_told_with_those_there_are(translate):
    finished = translate("--model", "none", "a b c")
    assert finished.returncode == 6
    assert "'none'" in finished.stderr
    assert "reversal@" in finished.stderr


def test_an_unsupported_pair_is_told_with_those_there_are(translate):
    finished = translate("--from", "de", "--to", "ja", "a b c")
    assert finished.returncode == 6
    assert "en-fr" in finished.stderr
