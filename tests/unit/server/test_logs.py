"""Log lines for people and for programs."""

from __future__ import annotations

import io
import json
import logging

import pytest

from ferryman_server.logs import LogFormat, configure_logs


@pytest.fixture
def lines():
    """Write log lines in a format: ``lines(format, event, **facts)`` returns what was written."""
    root = logging.getLogger()
    before = (root.handlers[:], root.level)

    def write(log_format: LogFormat, event: str, error: Exception | None = None, **facts) -> str:
        stream = io.StringIO()
        configure_logs(log_format, stream=stream)
        logger = logging.getLogger("ferryman.call")
        logger.log(
            logging.ERROR if error else logging.INFO,
            "%s",
            event,
            exc_info=error,
            extra={"facts": facts},
        )
        logging.getLogger("somebody.else").info("not ours, and not important")
        return stream.getvalue()

    yield write
    root.handlers[:], root.level = before
    logging.getLogger("ferryman").setLevel(logging.NOTSET)


def test_a_line_for_people_has_facts_by_name(lines):
    line = lines(LogFormat.TEXT, "TranslateText", request_id="7f", code="OK", milliseconds=12.5)
    assert line.endswith("Z INFO TranslateText request_id=7f code=OK milliseconds=12.5\n")


def test_a_line_for_programs_is_one_object(lines):
    line = lines(LogFormat.JSON, "TranslateText", request_id="é\n", texts=3)
    record = json.loads(line)
    assert line.count("\n") == 1
    assert record["event"] == "TranslateText"
    assert (record["request_id"], record["texts"], record["level"]) == ("é\n", 3, "INFO")


@pytest.mark.parametrize("value", ["two words", 'quo"te', "line\nbreak", "a=b", "", {"k": "v\n"}])
def test_a_value_cannot_forge_a_line_or_a_fact(lines, value):
    line = lines(LogFormat.TEXT, "event", label=value, code="OK")
    assert line.count("\n") == 1
    assert line.endswith(" code=OK\n")
    quoted = line.partition("label=")[2].removesuffix(" code=OK\n")
    assert json.loads(quoted) == str(value)


@pytest.mark.parametrize("log_format", LogFormat)
def test_an_error_brings_its_traceback(lines, log_format):
    try:
        raise RuntimeError("inside")
    except RuntimeError as error:
        text = lines(log_format, "event", error)
    assert "Traceback" in text
    assert "RuntimeError: inside" in text


@pytest.mark.parametrize(("level", "written"), [("info", 3), ("warning", 2), ("error", 1)])
def test_nothing_below_the_level_is_written(lines, level, written):
    lines(LogFormat.TEXT, "first")  # so that the fixture sees to how it was before
    stream = io.StringIO()
    configure_logs(LogFormat.TEXT, level=level, stream=stream)
    logger = logging.getLogger("ferryman.call")
    for number in (logging.INFO, logging.WARNING, logging.ERROR):
        logger.log(number, "event")
    assert stream.getvalue().count("event") == written
