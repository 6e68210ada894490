"""The command finds its verbs, loads the one that is called, and ends with the code it is told."""

from __future__ import annotations

import signal

import pytest

from ferryman.exit_codes import ExitCode


def test_help_lists_every_verb_and_what_it_does(command):
    result = command("--help")

    assert result.code == ExitCode.OK
    listed = result.stdout.partition("Commands:")[2]
    verbs = [line.split()[0] for line in listed.strip().splitlines()]
    assert verbs[:4] == ["translate", "decode", "score", "tokenize"]
    assert "Translate text" in listed
    assert "From made-up." in listed


def test_help_loads_no_verb_and_nothing_heavy(command):
    result = command("--help", PYTHONPROFILEIMPORTTIME="1")

    loaded = {
        line.rpartition("|")[2].strip().partition(".")[0] for line in result.stderr.split("\n")
    }
    assert "typer" in loaded
    assert not loaded & {"made_up", "grpc", "google", "rich", "pydantic", "numpy", "torch"}


def test_the_version_is_told(command):
    result = command("--version")

    assert (result.code, result.stdout) == (ExitCode.OK, "ferryman 0.1.0\n")


def test_no_verb_at_all_shows_the_help_and_is_wrong_usage(command):
    result = command()

    assert result.code == ExitCode.USAGE
    assert "Commands:" in result.stdout + result.stderr


def test_an_unknown_verb_is_answered_with_the_nearest(command):
    result = command("trian")

    assert result.code == ExitCode.USAGE
    assert "No such command 'trian'. Did you mean 'train'" in result.stderr


def test_a_verb_gets_its_arguments(command):
    result = command("greet", "--how", "well")

    assert (result.code, result.stdout, result.stderr) == (ExitCode.OK, "hello\n", "")


def test_a_wrong_option_of_a_verb_is_wrong_usage(command):
    result = command("greet", "--loud")

    assert result.code == ExitCode.USAGE
    assert "No such option: --loud" in result.stderr
    assert "ferryman greet" in result.stderr


def test_a_verb_explains_itself(command):
    result = command("greet", "--help")

    assert result.code == ExitCode.OK
    assert "Usage: ferryman greet" in result.stdout


@pytest.mark.parametrize("verb", ["needs-extra", "needs-late"])
def test_a_verb_whose_extra_is_missing_says_how_to_install_it(command, verb):
    result = command(verb)

    assert result.code == ExitCode.MISSING_EXTRA
    extras = "training,export" if verb == "needs-extra" else "training"
    assert f"pip install 'ferryman[{extras}]'" in result.stderr
    assert "a_library_that_nobody_has" in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("verb", ["needs-module", "needs-itself"])
def test_a_verb_that_is_not_all_there_says_so(command, verb):
    result = command(verb)

    assert result.code == ExitCode.FAILURE
    assert "No module named" in result.stderr
    assert "pip install" not in result.stderr


@pytest.mark.parametrize(
    ("how", "code", "text"),
    [
        ("expected", ExitCode.BAD_INPUT, "ferryman greet: the model is out of order: mend it\n"),
        ("disk", ExitCode.FAILURE, "ferryman greet: [Errno 28] No space left on device: '/full'\n"),
        ("exit", ExitCode.NOT_OFFERED, ""),
    ],
)
def test_expected_errors_are_a_message_and_a_code(command, how, code, text):
    result = command("greet", "--how", how)

    assert (result.code, result.stdout, result.stderr) == (code, "hello\n", text)


def test_a_defect_shows_where_it_is(command):
    result = command("greet", "--how", "defect")

    assert result.code == ExitCode.FAILURE
    assert "Traceback" in result.stderr
    assert "KeyError: 'a defect'" in result.stderr


def test_a_reader_that_leaves_ends_the_verb_quietly(command):
    with command.start("greet", "--how", "many") as process:
        assert process.stdout.readline() == b"hello\n"
        process.stdout.close()
        assert process.wait(30) == ExitCode.BROKEN_PIPE
        assert process.stderr.read() == b""


def test_an_interrupt_ends_the_verb_in_one_line(command):
    with command.start("greet", "--how", "sleep") as process:
        assert process.stdout.readline() == b"hello\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == ExitCode.INTERRUPTED
        assert process.stderr.read().strip() == b"Interrupted."
