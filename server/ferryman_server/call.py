"""The call that is being answered: its name, and what the log is to say about it."""

from __future__ import annotations

import contextvars
import time
import uuid
from dataclasses import dataclass, field


@dataclass(slots=True)
class Call:
    """One RPC, from its arrival to its status."""

    method: str
    """Without the service, as ``TranslateText``."""
    request_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    started: float = field(default_factory=time.monotonic)
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


_current: contextvars.ContextVar[Call] = contextvars.ContextVar("call")


def current_call() -> Call:
    """Return the call that the running task answers.

    Raises:
        LookupError: The task answers none.
    """
    return _current.get()


def enter_call(call: Call) -> None:
    """Make a call the one that the running task answers; each RPC has a task of its own."""
    _current.set(call)
