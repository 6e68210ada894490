"""The watchdog: a step that never ends is a dead engine, and must not look like a slow one."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Final

from ferryman_server.engine.delivery import abandon
from ferryman_server.engine.dispatcher import Dispatcher
from ferryman_server.engine.worker import Worker

_LOOKS: Final = 10
"""How often it looks within the time that a step may take."""


class StuckError(Exception):
    """A step took longer than any step can take.

    Args:
        seconds: How long it has taken so far.
    """

    def __init__(self, seconds: float) -> None:
        super().__init__(f"a step has not ended in {seconds:.0f} s")


class Watchdog:
    """Fails the engine when a worker is stuck.

    Args:
        workers: To look after.
        dispatcher: Told when the engine has failed.
        max_step_seconds: How long one step, with its encoding, may take.
    """

    def __init__(
        self, workers: Sequence[Worker], dispatcher: Dispatcher, *, max_step_seconds: float
    ) -> None:
        self._workers = workers
        self._dispatcher = dispatcher
        self._max_step_seconds = max_step_seconds
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(min(1.0, self._max_step_seconds / _LOOKS)):
            now = time.monotonic()
            for worker in self._workers:
                if (seconds := worker.busy_seconds(now)) > self._max_step_seconds:
                    self._give_up(worker, seconds)
                    return

    def _give_up(self, worker: Worker, seconds: float) -> None:
        tickets = worker.give_up()
        waiting = self._dispatcher.close(StuckError(seconds))
        abandon(self._dispatcher, [*waiting, *tickets])
