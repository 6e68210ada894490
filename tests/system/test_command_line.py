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


@pytest.mark.parametrize("text", ["\n", "   \n", "\n\n\n", "\t\u3000\n", ""])
def test_blank_lines_come_back_as_blank_lines(translate, text):
    finished = translate(input=text)
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.splitlines() == [
        line if not line.strip() else None for line in text.splitlines()
    ]


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


def test_a_sentence_of_ten_thousand_words_is_translated_in_pieces(translate):
    chance = random.Random(8)
    finished = translate(" ".join(chance.choices(string.ascii_lowercase, k=10_000)), timeout=120)
    assert finished.returncode == 0, finished.stderr
    assert len(finished.stdout.split()) > 1000
    assert "in pieces" in finished.stderr


def test_a_word_of_five_thousand_letters_is_translated_in_pieces(translate):
    finished = translate("x" * 5000, timeout=120)
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.strip()


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
