"""`ferryman score`, `tokenize`, `models`, `info`, `health`, completion and conversation."""

from __future__ import annotations

import json
import os
import pty
import sys

import pytest

from ferryman.exit_codes import ExitCode


@pytest.fixture
def ask(command, address):
    """What runs a verb with the scripted server."""

    def run(*arguments, **options):
        return command(*arguments, **{"FERRYMAN_SERVER": address} | options)

    return run


def test_a_translation_is_scored(ask, service):
    result = ask("score", "abc", "xx", "--from", "en", "--to", "fr", "--tokens")

    assert (result.code, result.stdout) == (ExitCode.OK, "-2.0000\t-2.0000\t3\ta:-1.0000\n")
    assert service.requests[0].source_language_code == "en"


def test_the_pairs_of_stdin_are_scored_line_by_line(ask):
    result = ask("score", stdin=b"".join(b"a\t%s\n" % (b"x" * n) for n in range(1, 100)))

    assert [line.split("\t")[0] for line in result.stdout.splitlines()] == [
        f"-{n}.0000" for n in range(1, 100)
    ]


def test_scores_as_json(ask, tmp_path):
    (tmp_path / "pairs.tsv").write_text("abc\txx\n", "utf-8")

    result = ask("score", "--file", str(tmp_path / "pairs.tsv"), "--json")

    fields = json.loads(result.stdout)
    assert (fields["source"], fields["target"], fields["score"]) == ("abc", "xx", -2.0)
    assert fields["error"] is None


@pytest.mark.parametrize(
    ("arguments", "stdin", "code", "message"),
    [
        (["abc"], b"", ExitCode.USAGE, "come together"),
        ([], b"no tab\n", ExitCode.BAD_INPUT, "line 1 is no pair"),
        (["--file", "/no/such"], b"", ExitCode.BAD_INPUT, "cannot read"),
    ],
)
def test_what_cannot_be_scored_is_told(ask, arguments, stdin, code, message):
    result = ask("score", *arguments, stdin=stdin)

    assert result.code == code
    assert message in result.stderr


def test_texts_are_taken_apart(ask):
    assert ask("tokenize", "ab").stdout == "a b\n"
    assert ask("tokenize", "--ids", stdin=b"ab\n\nc\n").stdout == "97 98\n\n99\n"
    fields = json.loads(ask("tokenize", "--json", "é").stdout)
    assert fields == {"text": "é", "tokens": [{"piece": "é", "id": 233, "span": [0, 1]}]}


def test_models_are_listed(ask):
    result = ask("models", "--verbose")

    assert result.stdout.startswith("* m0@1.0.0")
    assert "\n  m1@1.0.0" in result.stdout
    assert "BLEU 31.5" in result.stdout
    listed = [json.loads(line) for line in ask("models", "--json").stdout.splitlines()]
    assert [model["name"] for model in listed] == [f"m{n}" for n in range(5)]


def test_a_server_is_described(ask):
    assert "default model:          reversal@1.0.0" in ask("info").stdout
    fields = json.loads(ask("info", "--json").stdout)
    assert fields["version"] == "0.1.0"
    assert fields["started"].startswith("1970-01-12")


def test_health_is_an_exit_code(command, nowhere, health_serving):
    with health_serving() as (servicer, address):
        result = command("health", FERRYMAN_SERVER=address)
        assert (result.code, result.stdout) == (ExitCode.OK, "serving\n")
        servicer.set("", 2)
        result = command("health", "--json", FERRYMAN_SERVER=address)
        assert result.code == ExitCode.UNAVAILABLE
        assert json.loads(result.stdout)["serving"] is False
        assert command("health", "none", FERRYMAN_SERVER=address).code == ExitCode.NOT_OFFERED
    assert command("health", FERRYMAN_SERVER=nowhere).code == ExitCode.UNAVAILABLE


def test_the_key_of_the_environment_is_sent(ask, service):
    assert ask("translate", "abc", FERRYMAN_API_KEY="secret").code == ExitCode.OK
    result = ask("translate", "abc", FERRYMAN_API_KEY="a b")
    assert result.code == ExitCode.USAGE
    assert "a b" not in result.stderr


def test_a_shell_is_told_how_to_complete_verbs_and_options(command):
    environment = {"_FERRYMAN_COMPLETE": "complete_bash", "COMP_CWORD": "1"}

    verbs = command(COMP_WORDS="ferryman de", **environment)
    options = command(COMP_WORDS="ferryman decode --ver", **environment | {"COMP_CWORD": "2"})

    assert "decode" in verbs.stdout.split()
    assert options.stdout.split() == ["--verify"]


def converse(address, path, typed):
    """Talk to the verb on a terminal; return its exit code and what the terminal shows."""
    child, terminal = pty.fork()
    if child == 0:
        os.environ.update(PYTHONPATH=path, FERRYMAN_SERVER=address, TERM="dumb", NO_COLOR="1")
        os.execv(sys.executable, [sys.executable, "-m", "ferryman", "translate"])
    shown, waiting = b"", list(typed)
    while True:
        try:
            data = os.read(terminal, 4096)
        except OSError:  # the other side is closed
            break
        if not data:
            break
        shown += data
        if shown.endswith(b"> ") and waiting:
            os.write(terminal, waiting.pop(0))
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), shown.decode()


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_at_a_terminal_lines_are_translated_as_they_are_typed(address, service, installed):
    path = os.pathsep.join([str(installed), *filter(None, sys.path)])

    code, shown = converse(address, path, [b"abcdef\n", b"\n", b"ghi\n", b"\x04"])

    assert code == ExitCode.OK, shown
    assert "fedcba" in shown
    assert "ihg" in shown
    assert "\x1b[3" not in shown, "no colour where NO_COLOR says so"
    assert [list(request.contents) for request in service.requests] == [["abcdef"], ["ghi"]]
