"""Stopping when asked to: between two updates, with a checkpoint."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

STOPPED = 130
"""Exit status of a run that was stopped and can go on, as shells give it after Ctrl-C."""

PARENT = "FERRYMAN_TRAIN_PARENT"
"""Environment variable: the process that started this one and without which it must not go on."""


class StopRequest:
    """Whether this process has been asked to stop."""

    def __init__(self, on_request: Callable[[], None]) -> None:
        self._requested = False
        self._on_request = on_request
        self._parent = os.environ.get(PARENT)

    @property
    def made(self) -> bool:
        """True after SIGTERM or SIGINT, or when the process that started this one is gone."""
        return self._requested or self._parent not in (None, str(os.getppid()))

    def receive(self, _signal: int, _frame: FrameType | None) -> None:
        """Take a signal in; a handler of `signal.signal`."""
        self._requested = True
        self._on_request()


@contextmanager
def stop_request(on_request: Callable[[], None]) -> Iterator[StopRequest]:
    """Take SIGTERM and SIGINT as requests to stop, instead of ending at once.

    SIGINT stays ignored where the parent process ignores it for us: on Ctrl-C the terminal sends
    it to every process, and the parent passes one SIGTERM on.

    Args:
        on_request: Called when the request comes; it may come at any line of the program.
    """
    request = StopRequest(on_request)
    before = {}
    for number in (signal.SIGTERM, signal.SIGINT):
        if signal.getsignal(number) is not signal.SIG_IGN:
            before[number] = signal.signal(number, request.receive)
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
