"""Log lines: one event each, facts by name, and never a text that somebody translates."""

from __future__ import annotations

import json
import logging
import sys
import time
from enum import StrEnum
from typing import Final, TextIO


class LogFormat(StrEnum):
    """How a log line is written."""

    TEXT = "text"
    """For people: time, level, event, and facts as ``name=value``."""
    JSON = "json"
    """For programs: one object a line."""


def configure_logs(
    log_format: LogFormat, *, level: str = "info", stream: TextIO = sys.stderr
) -> None:
    """Send the log lines of this process to a stream.

    Args:
        log_format: How they are written.
        level: The least of ours to write, as ``warning``.
        stream: Where to.
    """
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines() if log_format is LogFormat.JSON else TextLines())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("ferryman").setLevel(level.upper())


class TextLines(logging.Formatter):
    """``2026-11-21T10:00:00.123Z INFO TranslateText request_id=7f code=OK milliseconds=12.5``."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        parts = [_time(record), record.levelname, _one_line(record.getMessage())]
        parts += (f"{name}={_quoted(value)}" for name, value in _facts(record).items())
        line = " ".join(parts)
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class JsonLines(logging.Formatter):
    """``{"time": "...", "level": "INFO", "event": "TranslateText", "request_id": "7f", ...}``."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        line: dict[str, object] = {
            "time": _time(record),
            "level": record.levelname,
            "logger": record.name,
            "event": record.getMessage(),
            **_facts(record),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


_PLAIN: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-:/@+,")


def _quoted(value: object) -> str:
    text = str(value)
    return text if text and _PLAIN.issuperset(text) else json.dumps(text)


def _one_line(text: str) -> str:
    return text.replace("\n", "\\n").replace("\r", "\\r")


def _facts(record: logging.LogRecord) -> dict[str, object]:
    facts: dict[str, object] = getattr(record, "facts", {})
    return facts


def _time(record: logging.LogRecord) -> str:
    moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
    return f"{moment}.{int(record.msecs):03d}Z"
