"""Where the traces of calls go, and which trace a call belongs to.

The extra ``[tracing]`` brings what `ferryman_server.spans` needs; nothing here does.
"""

from __future__ import annotations

import re
from typing import Final, Protocol

import grpc

from ferryman_server.call import Call
from ferryman_server.start_errors import ConfigError

_TRACEPARENT: Final = re.compile(r"[0-9a-f]{2}-(?P<trace>[0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")


class Traces(Protocol):
    """Where spans go."""

    def record(self, call: Call, code: grpc.StatusCode) -> None:
        """Make the spans of a call that has ended."""


class NoTraces:
    """Nobody wants spans."""

    def record(self, call: Call, code: grpc.StatusCode) -> None:
        """Do nothing."""


def trace_of(traceparent: str | None) -> str | None:
    """Return the id of the trace that a W3C ``traceparent`` header names, if it is sound.

    >>> trace_of("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
    '4bf92f3577b34da6a3ce929d0e0e4736'
    """
    match = _TRACEPARENT.fullmatch(traceparent or "")
    return match["trace"] if match else None


def open_traces(endpoint: str | None, version: str) -> Traces:
    """Return where spans go: to an OTLP collector, or nowhere.

    Args:
        endpoint: Of the collector, as ``http://127.0.0.1:4317``; None for nowhere.
        version: Of ferryman.

    Raises:
        ConfigError: The extra is not installed.
    """
    if endpoint is None:
        return NoTraces()
    try:
        from ferryman_server.spans import open_spans
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"--traces-endpoint: needs the tracing extra ({error}): pip install 'ferryman[tracing]'"
        ) from error
    return open_spans(endpoint, version)
