"""`ferryman translate` as a shell sees it: stdout, stderr and exit code, over a real connection."""

from __future__ import annotations

import json
import signal

import pytest
from google.rpc import error_details_pb2
from lxml import html

from ferryman.exit_codes import ExitCode


@pytest.fixture
def translate(command, address):
    """What runs ``ferryman translate`` with the scripted server."""

    def run(*arguments, **options):
        return command("translate", *arguments, FERRYMAN_SERVER=address, **options)

    run.start = lambda *arguments: command.start("translate", *arguments, FERRYMAN_SERVER=address)
    return run


def info(reason, **metadata):
    return error_details_pb2.ErrorInfo(reason=reason, domain="ferryman", metadata=metadata)


def test_a_text_is_translated(translate, service):
    result = translate("abc def", "--from", "en", "--to", "fr", "--model", "m", "--beam", "3")

    assert (result.code, result.stdout, result.stderr) == (ExitCode.OK, "fed cba\n", "")
    (request,) = service.requests
    assert (request.source_language_code, request.target_language_code) == ("en", "fr")
    assert (request.model, request.decoding.beam_size) == ("m", 3)


def test_a_translation_is_written_as_a_page_with_its_word_links(translate, service, tmp_path):
    def linked(response):
        link = response.translations[0].hypotheses[0].alignments.add(weight=0.75)
        link.source.end = link.target.end = 2

    service.answer(linked)

    result = translate("<b> & c", "--to", "fr", "--html", str(tmp_path / "page.html"))

    page = html.document_fromstring((tmp_path / "page.html").read_text("utf-8"))
    assert (result.code, result.stdout) == (ExitCode.OK, "c & >b<\n")
    assert service.requests[0].output.alignments
    assert [text.text_content() for text in page.find_class("text")] == ["<b> & c", "c & >b<"]
    assert [cell.text_content() for cell in page.xpath("//table[2]//td")] == ["<b", "c ", "0.75"]
    assert not page.xpath("//*[@src or @href]"), "it needs nothing else"
    assert translate("--html", "x", stdin=b"a").code == ExitCode.USAGE


def test_words_without_quotes_are_one_text(translate, service):
    assert translate("abc", "def").stdout == "fed cba\n"
    assert list(service.requests[0].contents) == ["abc def"]


def test_the_server_of_the_command_line_goes_before_that_of_the_environment(command, address):
    result = command("translate", "--server", address, "abc", FERRYMAN_SERVER="127.0.0.1:1")

    assert (result.code, result.stdout) == (ExitCode.OK, "cba\n")


@pytest.mark.parametrize("blank", ["", "   ", "\n"])
def test_blank_in_is_blank_out(translate, blank):
    result = translate(blank)

    assert (result.code, result.stdout, result.stderr) == (ExitCode.OK, blank + "\n", "")


def test_a_text_of_ten_thousand_words_is_one_request(translate, service):
    text = " ".join(f"word{number % 97}" for number in range(10_000))

    result = translate(text)

    assert (result.code, result.stdout) == (ExitCode.OK, text[::-1] + "\n")
    assert len(service.requests) == 1


def test_lines_of_stdin_stay_lines(translate):
    result = translate(stdin="one\n\n  \ntwo\r\nthré\nlast".encode())

    assert result.code == ExitCode.OK
    assert result.stdout == "eno\n\n  \nowt\nérht\ntsal\n"
    assert result.stderr == ""


def test_no_line_is_no_output(translate):
    result = translate(stdin=b"")

    assert (result.code, result.stdout, result.stderr) == (ExitCode.OK, "", "")


def test_a_file_is_translated_line_by_line_and_in_order(translate, tmp_path):
    lines = [f"line {number}" if number % 7 else "" for number in range(3000)]
    file = tmp_path / "text"
    file.write_text("\n".join(lines) + "\n")

    result = translate("--file", str(file))

    assert result.code == ExitCode.OK
    assert result.stdout.split("\n")[:-1] == [line[::-1] for line in lines]


def test_a_line_break_in_a_translation_does_not_shift_the_lines(translate, service):
    def break_the_line(response):
        response.translations[0].hypotheses[0].translated_text = "one\ntwo"

    service.answer(break_the_line)

    assert translate(stdin=b"a\nb\n").stdout == "one two\nb\n"


def test_whoever_types_has_an_answer_before_the_next_line(translate):
    with translate.start() as process:
        for line in (b"abc\n", b"def\n", b"\n"):
            process.stdin.write(line)
            process.stdin.flush()
            assert process.stdout.readline() == line[-2::-1] + b"\n"
        process.stdin.close()
        assert process.wait(30) == ExitCode.OK


def test_json_has_the_figures(translate):
    result = translate("--json", stdin="né\n\n".encode())

    first, blank = map(json.loads, result.stdout.splitlines())
    assert first == {
        "source": "né",
        "text": "én",
        "score": -0.5,
        "log_prob": -1.5,
        "finish_reason": "eos",
        "model": "reversal@1.0.0",
        "source_language": "en",
        "target_language": "fr",
        "warnings": [],
        "error": None,
    }
    assert (blank["source"], blank["text"]) == ("", "")
    assert "né" in result.stdout


def test_what_is_not_utf8_is_named_after_the_lines_before_it(translate):
    result = translate(stdin=b"good\nalso good\nbad \xe9\nlost\n")

    assert result.code == ExitCode.BAD_INPUT
    assert result.stdout == "doog\ndoog osla\n"
    assert "stdin: line 3, byte 5 (0xe9) is not UTF-8" in result.stderr
    assert "iconv" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_an_argument_that_is_not_utf8_is_refused(translate, service):
    result = translate(b"caf\xe9")

    assert result.code == ExitCode.BAD_INPUT
    assert "not UTF-8" in result.stderr
    assert service.requests == []


def test_output_is_utf8_in_any_locale(translate):
    result = translate(stdin="é\n".encode(), LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    assert (result.code, result.stdout) == (ExitCode.OK, "é\n")


@pytest.mark.parametrize("arguments", [("text",), ()])
def test_a_server_that_is_down_is_named_with_how_to_start_one(command, nowhere, arguments):
    result = command("translate", "--server", nowhere, *arguments, stdin=b"text\n")

    assert result.code == ExitCode.UNAVAILABLE
    assert f"no server answers at {nowhere}" in result.stderr
    assert "ferryman serve" in result.stderr
    assert len(result.stderr.splitlines()) == 2


def test_an_unknown_model_is_answered_with_those_there_are(translate, service):
    service.fail("NOT_FOUND", "there is no model 'x'", info("MODEL_NOT_FOUND", available="a, b"))

    result = translate("text", "--model", "x")

    assert result.code == ExitCode.NOT_OFFERED
    assert result.stderr == ("ferryman translate: there is no model 'x'\nThis server has: a, b.\n")


def test_what_the_server_has_is_not_told_twice(translate, service):
    service.fail(
        "INVALID_ARGUMENT",
        "en-xx is not translated here; there is en-fr",
        info("UNSUPPORTED_LANGUAGE_PAIR", available="en-fr"),
    )

    result = translate("text", "--from", "en", "--to", "xx")

    assert result.code == ExitCode.NOT_OFFERED
    assert result.stderr == "ferryman translate: en-xx is not translated here; there is en-fr\n"


def test_a_deadline_is_answered_with_how_to_allow_more(translate, service):
    service.held = {"text"}

    result = translate("text", "--timeout", "0.3")

    assert result.code == ExitCode.TIMEOUT
    assert "within 0.3 s" in result.stderr
    assert "--timeout" in result.stderr


def test_a_defect_of_the_server_is_named_with_the_request(translate, service):
    service.fail("INTERNAL", "it broke", error_details_pb2.RequestInfo(request_id="call-9"))

    result = translate("text")

    assert result.code == ExitCode.FAILURE
    assert "it broke" in result.stderr
    assert "call-9" in result.stderr


def test_a_line_that_fails_leaves_its_place_empty(translate, service):
    service.fail_one_text(1, "INVALID_ARGUMENT", "too long", info("INPUT_TOO_LONG"))

    result = translate(stdin=b"one\ntwo\nthree\n")

    assert result.code == ExitCode.FAILURE
    assert result.stdout == "eno\n\neerht\n"
    assert result.stderr.splitlines() == [
        "ferryman translate: line 2: no translation: too long",
        "ferryman translate: 1 of 3 lines have no translation",
    ]


def test_a_refused_line_is_named_by_its_number(translate, service, tmp_path):
    service.limits.max_contents = 10
    file = tmp_path / "text"
    file.write_text("".join(f"{number}\n" for number in range(30)))
    service.fail_request_with("17", "INVALID_ARGUMENT", "contents[7]: odd")

    result = translate("--file", str(file))

    assert result.code == ExitCode.BAD_INPUT
    assert "line 18: odd" in result.stderr


def test_a_refused_text_is_not_named_as_a_part_of_a_request(translate, service):
    service.fail("INVALID_ARGUMENT", "contents[0]: must be shorter")

    assert translate("text").stderr == "ferryman translate: the text: must be shorter\n"


def test_warnings_name_their_line(translate, service):
    service.answer(lambda response: response.translations[1].warnings.add(message="cut short"))

    result = translate(stdin=b"one\ntwo\n")

    assert (result.code, result.stdout) == (ExitCode.OK, "eno\nowt\n")
    assert result.stderr == "ferryman translate: line 2: warning: cut short\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("text", "--file", "f"), "exclude each other"),
        (("text", "--beam", "0"), "--beam"),
        (("text", "--timeout", "0"), "--timeout"),
        (("text", "--server", "http://host"), "host:port"),
        (("text", "--colour"), "No such option"),
    ],
)
def test_wrong_usage_is_told_before_anything_is_sent(translate, service, arguments, message):
    result = translate(*arguments)

    assert result.code == ExitCode.USAGE
    assert message in result.stderr
    assert service.requests == []


def test_a_missing_file_is_bad_input(translate):
    result = translate("--file", "/does/not/exist")

    assert result.code == ExitCode.BAD_INPUT
    assert "cannot read /does/not/exist: No such file or directory" in result.stderr


def test_an_interrupt_cancels_what_is_on_the_way(translate, service):
    service.held = {"text"}
    with translate.start("text") as process:
        assert service.received.acquire(timeout=30)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == ExitCode.INTERRUPTED
        assert process.stderr.read().strip() == b"Interrupted."
    assert service.cancelled.acquire(timeout=5)


def test_a_reader_that_leaves_ends_it_quietly(translate, tmp_path):
    file = tmp_path / "text"
    file.write_text("a line\n" * 50_000)
    with translate.start("--file", str(file)) as process:
        assert process.stdout.readline() == b"enil a\n"
        process.stdout.close()
        assert process.wait(30) == ExitCode.BROKEN_PIPE
        assert process.stderr.read() == b""
