"""`ferryman decode` with real servers that are stopped, killed and started again."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FORMAT_1 = ROOT / "tests" / "data" / "format-1"
SENTENCES = [
    line.partition("\t")[0]
    for line in (ROOT / "tests" / "data" / "sample.en-fr.tsv").read_text("utf-8").splitlines()
]


@pytest.fixture(scope="module")
def lines(tmp_path_factory):
    """A file of 200 lines, some blank, and what one server makes of it."""
    path = tmp_path_factory.mktemp("lines") / "in.txt"
    wanted = [line if number % 10 else "" for number, line in enumerate(SENTENCES[:200])]
    path.write_text("".join(line + "\n" for line in wanted), "utf-8")
    return path


@pytest.fixture(scope="module")
def translated(lines, ferryman):
    """The same file, translated without a server."""
    output = lines.with_name("local.txt")
    finished = ferryman(
        "decode", "--local", "--model", str(FORMAT_1), "--beam", "1", str(lines), str(output),
        timeout=300,
    )  # fmt: skip
    assert finished.returncode == 0, finished.stderr
    return output.read_bytes()


def decode(ferryman, lines, output, *servers, options=()):
    named = [word for server in servers for word in ("--server", server)]
    return ferryman("decode", "--beam", "1", *options, *named, str(lines), str(output), timeout=300)


def test_without_a_server_a_text_is_what_a_server_makes_of_it(lines, translated, ferryman, serving):
    output = lines.with_name("served.txt")
    with serving(FORMAT_1) as server:
        finished = decode(ferryman, lines, output, server.address, options=["--verify"])
        one = ferryman("translate", "--server", server.address, "--beam", "1", SENTENCES[1])

    assert finished.returncode in {0, 1}, finished.stderr  # a toy model loses placeholders
    assert output.read_bytes() == translated
    assert one.stdout == translated.decode().splitlines()[1] + "\n"
    local = ferryman("translate", "--local", "--model", str(FORMAT_1), "--beam", "1", SENTENCES[1])
    assert local.stdout == one.stdout


def test_a_bundle_that_is_not_there_is_told_without_a_traceback(ferryman):
    finished = ferryman("translate", "--local", "--model", "no-such-bundle", "abc")

    assert finished.returncode not in {0, 1}
    assert "no-such-bundle" in finished.stderr
    assert "Traceback" not in finished.stderr


def start_decoding(lines, output, *servers):
    named = [word for server in servers for word in ("--server", server)]
    return subprocess.Popen(
        [sys.executable, "-m", "ferryman", "decode", "--beam", "1", "--window", "1", *named,
         str(lines), str(output)],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        encoding="utf-8",
    )  # fmt: skip


def test_two_servers_are_used_and_one_may_die(lines, translated, serving):
    output = lines.with_name("two.txt")
    with (
        serving(FORMAT_1) as one,
        serving(FORMAT_1) as other,
        start_decoding(lines, output, one.address, other.address) as process,
    ):
        one.wait_for("TranslateText")
        other.wait_for("TranslateText")
        one.process.send_signal(signal.SIGKILL)
        _, stderr = process.communicate(timeout=300)

    assert process.returncode == 0, stderr
    assert output.read_bytes() == translated


def test_a_server_that_starts_again_is_found_again_and_no_line_comes_twice(
    lines, translated, serving
):
    output = lines.with_name("again.txt")
    with serving(FORMAT_1) as server:
        address = server.address
        process = start_decoding(lines, output, address)
        server.wait_for("TranslateText")
        server.process.send_signal(signal.SIGKILL)
        server.process.wait()
    with process, serving(FORMAT_1, "--address", address):
        _, stderr = process.communicate(timeout=300)

    assert process.returncode == 0, stderr
    assert output.read_bytes() == translated


def restarted_calls(serving, calls, restarts):
    """Make unary calls while the server is stopped, one way or the other, and started again."""
    from ferryman import Client, Retry

    made = 0
    progress = threading.Condition()

    def call(number):
        nonlocal made
        text = SENTENCES[number % 100]
        translation = client.translate(text, timeout=120)
        with progress:
            made += 1
            progress.notify_all()
        return text, translation.text

    def wait_for(count):
        with progress:
            assert progress.wait_for(lambda: made >= count, 120)

    with serving(FORMAT_1) as server:
        address = server.address
        client = Client(address, retry=Retry(max_attempts=100, max_wait=1.0))
        executor = ThreadPoolExecutor(4)
        futures = [executor.submit(call, number) for number in range(calls)]
        wait_for(calls // (restarts + 1))
        server.end(signal.SIGTERM)
    for restart in range(1, restarts + 1):
        with serving(FORMAT_1, "--address", address) as server:
            if restart < restarts:
                wait_for((restart + 1) * calls // (restarts + 1))
                server.end(signal.SIGKILL if restart % 2 else signal.SIGTERM)
                continue
            answers = [future.result(120) for future in futures]
    with client, executor:
        return answers


def check_answers(answers, calls):
    assert len(answers) == calls
    assert len(dict(answers)) == len(set(answers)), "a text has one translation"


def test_calls_succeed_while_the_server_starts_again(serving):
    check_answers(restarted_calls(serving, 40, 1), 40)


@pytest.mark.deep
def test_five_hundred_calls_succeed_while_the_server_starts_again_five_times(serving):
    check_answers(restarted_calls(serving, 500, 5), 500)
