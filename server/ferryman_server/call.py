"""The call that is being answered: its name, and what the log is to say about it."""

from __future__ import annotations

import contextvars
import time
import urllib.parse
import uuid
from dataclasses import dataclass, field


@dataclass(slots=True)
class Call:
    """One RPC, from its arrival to its status."""

    method: str
    """Without the service, as ``TranslateText``."""
    request_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    started: float = field(default_factory=time.monotonic)
    client: str = ""
    """Who calls: the holder of the key, or the peer's host."""
    traceparent: str | None = None
    """The W3C header of that name: the trace that the call is part of."""
    is_routine: bool = False
    """Whether it is one of those that come every few seconds, as a health check: the log has a line
    of it only if it fails by a fault of ours."""
    facts: dict[str, object] = field(default_factory=dict)
    """What the log says besides: counts and times, never texts."""

    @property
    def seconds(self) -> float:
        """Since the call arrived."""
        return time.monotonic() - self.started


def host_of(peer: str) -> str:
    """Return the host of a peer, as gRPC writes them.

    >>> host_of("ipv4:10.0.0.7:40112"), host_of("ipv6:[::1]:40112"), host_of("unix:")
    ('10.0.0.7', '::1', 'unix')
    """
    kind, _, rest = urllib.parse.unquote(peer).partition(":")
    return rest.rpartition(":")[0].strip("[]") or kind


_client: contextvars.ContextVar[str | None] = contextvars.ContextVar("client", default=None)


def enter_client(name: str) -> None:
    """Note whose key the call that the running task answers came with."""
    _client.set(name)


def current_client() -> str | None:
    """Return whose key the call came with; None where the server has no keys."""
    return _client.get()


_current: contextvars.ContextVar[Call] = contextvars.ContextVar("call")


def current_call() -> Call:
    """Return the call that the running task answers.

    Raises:
        LookupError: The task answers none.
    """
    return _current.get()


def caller() -> str:
    """Return who makes the call that the running task answers; empty where it answers none."""
    call = _current.get(None)
    return call.client if call else ""


def enter_call(call: Call) -> None:
    """Make a call the one that the running task answers; each RPC has a task of its own."""
    _current.set(call)
