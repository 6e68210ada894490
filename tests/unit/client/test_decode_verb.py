"""`ferryman decode` as a shell sees it, over real connections."""

from __future__ import annotations

import json
import signal

import pytest

from ferryman.exit_codes import ExitCode


@pytest.fixture
def decode(command, address, tmp_path):
    """What runs ``ferryman decode`` with the scripted server, in a folder of its own."""

    def path(word):
        return str(tmp_path / word) if word.startswith(("in.", "out.")) else word

    def run(*arguments, **options):
        options = {"FERRYMAN_SERVER": address} | options
        return command("decode", *map(path, arguments), **options)

    run.start = lambda *arguments: command.start(
        "decode", *map(path, arguments), FERRYMAN_SERVER=address
    )
    return run


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "in.txt"
    path.write_text("".join(f"line {n}\n" if n % 5 else "\n" for n in range(1000)), "utf-8")
    return path


WANTED = "".join(f"line {n}"[::-1] + "\n" if n % 5 else "\n" for n in range(1000))


def test_a_file_is_translated_line_by_line(decode, source, tmp_path, service):
    result = decode("in.txt", "out.txt", "--from", "en", "--to", "fr", "--beam", "3", "--verify")

    assert (result.code, result.stdout) == (ExitCode.OK, "")
    assert "1,000 lines in " in result.stderr
    assert "tokens/s" in result.stderr
    assert (tmp_path / "out.txt").read_text("utf-8") == WANTED
    assert {path.name for path in tmp_path.iterdir()} == {"in.txt", "out.txt"}
    assert len(service.requests) == 1 + 13
    for request in service.requests[1:]:
        assert request.decoding.beam_size == 3
        assert request.model == "reversal@1.0.0", "the model that the run began with, by name"


def test_the_sum_of_it_as_json(decode, source, tmp_path, service):
    source.write_text("line 1\nline 2\n", "utf-8")
    service.answer(lambda response: None)  # to the question which model there is
    service.fail_one_text(0, "INVALID_ARGUMENT", "too long")

    result = decode("in.txt", "out.txt", "--json")

    summary = json.loads(result.stdout)
    assert result.code == ExitCode.FAILURE
    assert (summary["lines"], summary["failed"]) == (2, 1)
    assert summary["failures"] == str(tmp_path / "out.txt.failures.jsonl")
    assert (tmp_path / "out.txt").read_text("utf-8") == "\n2 enil\n"


def test_a_run_that_is_killed_goes_on(decode, source, tmp_path, service):
    service.held = {"line 501"}
    with decode.start("in.txt", "out.txt") as process:
        while not any("line 501" in request.contents for request in list(service.requests)):
            service.received.acquire(timeout=30)
        for _ in range(8):
            service.received.acquire(timeout=1)
        process.kill()
        process.wait(30)
    assert not (tmp_path / "out.txt").exists()
    service.held, before = set(), len(service.requests)

    result = decode("in.txt", "out.txt")

    assert result.code == ExitCode.OK, result.stderr
    assert (tmp_path / "out.txt").read_text("utf-8") == WANTED
    assert len(service.requests) - before < 14


def test_ctrl_c_ends_it_and_says_how_to_go_on(decode, source, tmp_path, service):
    service.held = {"line 501"}
    with decode.start("in.txt", "out.txt") as process:
        while not any("line 501" in request.contents for request in list(service.requests)):
            service.received.acquire(timeout=30)
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=30)

    assert process.returncode == ExitCode.INTERRUPTED
    assert b"the same command goes on" in stderr
    assert b"Traceback" not in stderr


def test_a_run_of_another_search_is_refused(decode, source, tmp_path, service):
    service.fail_request_with("line 501", "FAILED_PRECONDITION", "cannot")
    assert decode("in.txt", "out.txt").code == ExitCode.NOT_OFFERED
    service._failing.clear()

    result = decode("in.txt", "out.txt", "--beam", "5")

    assert result.code == ExitCode.BAD_INPUT
    assert "search was" in result.stderr
    assert "--restart" in result.stderr
    assert decode("in.txt", "out.txt", "--beam", "5", "--restart").code == ExitCode.OK


def test_two_servers_share_the_work(decode, source, tmp_path, service, address, serve_at):
    other = serve_at("127.0.0.1:0")

    result = decode("in.txt", "out.txt", "--server", address, "--server", other)

    assert (result.code, (tmp_path / "out.txt").read_text("utf-8")) == (ExitCode.OK, WANTED)


def test_what_verify_finds_is_told_and_is_a_failure(decode, source, tmp_path):
    source.write_text("abc\n{name}\n", "utf-8")

    result = decode("in.txt", "out.txt", "--verify")

    assert result.code == ExitCode.FAILURE
    assert "line 2: lost {name}" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["in.none.txt", "out.txt"], ExitCode.BAD_INPUT, "cannot read"),
        (["in.xyz", "out.txt"], ExitCode.BAD_INPUT, "say --format"),
        (["in.txt", "in.txt"], ExitCode.USAGE, "are the same"),
        (["in.txt", "out.txt", "--field", "2"], ExitCode.USAGE, "has no fields"),
        (["in.txt", "out.none/out.txt"], ExitCode.FAILURE, "No such file or directory"),
        (["in.txt", "out.txt", "--server", "a:b"], ExitCode.USAGE, "port"),
    ],
)
def test_what_cannot_be_done_is_told_with_its_code(decode, source, arguments, code, message):
    result = decode(*arguments)

    assert result.code == code
    assert message in result.stderr.replace("\n", " ")


def test_without_a_server_it_ends_after_its_patience(decode, source, nowhere):
    result = decode("in.txt", "out.txt", "--patience", "0", FERRYMAN_SERVER=nowhere)

    assert result.code == ExitCode.UNAVAILABLE
    assert nowhere in result.stderr


def test_an_output_that_cannot_be_made_is_told_before_a_text_is_sent(decode, source, service):
    result = decode("in.txt", "/proc/out.txt")

    assert result.code == ExitCode.FAILURE
    assert "/proc/out.txt" in result.stderr
    assert len(service.requests) <= 1


@pytest.fixture
def folder(tmp_path):
    """A folder of three files that have a format, and one that has none."""
    for name in ("a.txt", "deep/b.md", "deep/er/c.txt", "d.bin"):
        path = tmp_path / "in.d" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"text of {name}\n", "utf-8")
    return tmp_path / "in.d"


def test_the_files_of_a_folder_are_translated_in_their_places(decode, folder, tmp_path):
    result = decode("in.d", "out.d", "--json")

    made = {path.relative_to(tmp_path / "out.d").as_posix(): path.read_text("utf-8")
            for path in (tmp_path / "out.d").rglob("*") if path.is_file()}  # fmt: skip
    assert result.code == ExitCode.OK, result.stderr
    assert made == {
        name: f"text of {name}"[::-1] + "\n" for name in ("a.txt", "deep/b.md", "deep/er/c.txt")
    }
    assert len(result.stdout.splitlines()) == 3


def test_a_folder_that_was_stopped_goes_on_with_the_file_that_it_was_at(
    decode, folder, tmp_path, service
):
    service.fail_request_with("text of deep/b.md", "FAILED_PRECONDITION", "cannot")
    assert decode("in.d", "out.d").code == ExitCode.NOT_OFFERED
    assert decode("in.d", "out.d", "--beam", "2").code == ExitCode.BAD_INPUT
    service._failing.clear()
    service.requests.clear()

    result = decode("in.d", "out.d")

    assert result.code == ExitCode.OK, result.stderr
    sent = [text for request in service.requests for text in request.contents]
    assert sent == ["", "text of deep/b.md", "text of deep/er/c.txt"]
    assert not list((tmp_path / "out.d").rglob(".*"))


def test_a_folder_without_any_such_file_is_told(decode, tmp_path):
    (tmp_path / "in.d").mkdir()

    result = decode("in.d", "out.d")

    assert result.code == ExitCode.BAD_INPUT
    assert "known by its name" in result.stderr
