"""The dispatcher: where the callers' threads and the workers' threads meet, under one lock.

No future is ever resolved under that lock, since what a caller attached to it runs there and then.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from ferryman_server.engine.batch import Work
from ferryman_server.engine.errors import (
    DeadlineError,
    EngineError,
    EngineFailedError,
    EngineStoppedError,
    OverloadedError,
)
from ferryman_server.engine.scheduler import Scheduler
from ferryman_server.engine.statistics import Statistics
from ferryman_server.engine.ticket import Ticket

_LOG = logging.getLogger(__name__)


class Outcome(StrEnum):
    """How a job can end."""

    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """What a worker is to do next."""

    now: float
    boarders: list[Ticket]
    companions: list[Ticket]
    """Those who still wait and are encoded along with the boarders."""
    expired: list[Ticket]
    """Those whose deadline passed in the queue."""
    waiting: bool
    """Whether others still wait."""
    changes: int
    """Of the dispatcher, when these orders were given."""


class Dispatcher:
    """Hands tickets from callers to workers and counts what becomes of them.

    Args:
        scheduler: The queue and its policy.
    """

    def __init__(self, scheduler: Scheduler) -> None:
        self.cancellations = 0
        """How many jobs were cancelled when they were not in the queue any more."""
        self.changes = 0
        """How often something happened that a worker has to be told of; read without the lock."""
        self.state_bytes: dict[str, int] = {}
        """The memory of each worker's state; each writes its own entry."""
        self.error: BaseException | None = None
        """What the engine died of."""
        self._on_failure: list[Callable[[BaseException], None]] = []
        self._scheduler = scheduler
        self._changed = threading.Condition()
        self._is_open = False
        self._is_closed = False
        self._idle_workers = 0
        self._admitted = 0
        self._source_tokens = 0
        self._rejected = 0
        self._running: dict[Ticket, None] = {}
        self._outcomes = dict.fromkeys(Outcome, 0)
        self._tokens = 0
        self._rounds = 0
        self._rounds_waiting = 0
        self._rows_waiting = 0
        self._work = Work()

    def open(self) -> None:
        """Take jobs from now on."""
        with self._changed:
            self._is_open = not self._is_closed

    def enter(self, tickets: Sequence[Ticket]) -> None:
        """Let tickets wait, all or none.

        Raises:
            EngineStoppedError: Not open (any more).
            EngineFailedError: The engine died.
            OverloadedError: No room for all of them now, or not soon enough.
            DeadlineError: Their deadline would pass before their turn.
            ValueError: There never will be.
        """
        with self._changed:
            if not self._is_open:
                raise self.reason()
            try:
                self._scheduler.enqueue(tickets, time.monotonic())
            except (OverloadedError, DeadlineError):
                self._rejected += len(tickets)
                raise
            self._admitted += len(tickets)
            self._source_tokens += sum(ticket.source_tokens for ticket in tickets)
            self.changes += 1
            self._changed.notify_all()

    def cancel(self, ticket: Ticket) -> None:
        """Note that a ticket was cancelled."""
        with self._changed:
            if not self._scheduler.withdraw(ticket):
                # A worker has it, and will see that in its next round.
                self.cancellations += 1
                self.changes += 1
                return
            self._outcomes[Outcome.CANCELLED] += 1
        ticket.set_running_or_notify_cancel()

    def next_orders(self, running: Collection[Ticket]) -> Orders | None:
        """Wait until a worker has something to do; None tells it to stop.

        Args:
            running: The tickets that the worker has.
        """
        with self._changed:
            while not self._is_closed and self.error is None:
                now = time.monotonic()
                expired = self._scheduler.expire(now)
                boarders = self._scheduler.board(running, idle_workers=self._idle_workers, now=now)
                if running or boarders or expired:
                    self._running.update(dict.fromkeys([*boarders, *expired]))
                    waiting = len(self._scheduler) > 0
                    return Orders(
                        now=now,
                        boarders=boarders,
                        companions=self._scheduler.companions(boarders),
                        expired=expired,
                        waiting=waiting,
                        changes=self.changes,
                    )
                self._idle_workers += 1
                self._changed.wait()
                self._idle_workers -= 1
            return None

    def settle(self, outcomes: Iterable[tuple[Ticket, Outcome]], *, tokens: int) -> None:
        """Count how jobs ended that a worker had.

        Args:
            outcomes: The jobs.
            tokens: Tokens in the answers of those completed.
        """
        with self._changed:
            for ticket, outcome in outcomes:
                del self._running[ticket]
                self._outcomes[outcome] += 1
            self._tokens += tokens
            self._changed.notify_all()

    def unsettled(self, tickets: Iterable[Ticket]) -> list[Ticket]:
        """Return those of some tickets that a worker has and that have not ended yet."""
        with self._changed:
            return [ticket for ticket in tickets if ticket in self._running]

    def record(self, work: Work, *, waiting: bool) -> None:
        """Count rounds, during which jobs were waiting or not."""
        with self._changed:
            self._work.steps += work.steps
            self._work.rows += work.rows
            self._work.ragged_admissions += work.ragged_admissions
            self._work.bytes_copied += work.bytes_copied
            self._rounds += work.rounds
            if waiting:
                self._rounds_waiting += work.rounds
                self._rows_waiting += work.rows

    def drain(self, timeout: float) -> bool:
        """Take no more jobs and wait for the others; tell whether all have ended in time."""
        with self._changed:
            self._is_open = False
            return self._changed.wait_for(
                lambda: not self._running and not len(self._scheduler), timeout
            )

    def close(self, error: BaseException | None = None) -> list[Ticket]:
        """Stop the workers, for an error or not; return the tickets that still waited."""
        callbacks: list[Callable[[BaseException], None]] = []
        with self._changed:
            self._is_open = False
            self.changes += 1
            if error is None:
                self._is_closed = True
            elif self.error is None:
                self.error = error
                callbacks, self._on_failure = self._on_failure, callbacks
            tickets = self._scheduler.clear()
            self._running.update(dict.fromkeys(tickets))
            self._changed.notify_all()
        for callback in callbacks:
            assert error is not None
            try:
                callback(error)
            except Exception:  # those who wait for tickets must hear of it all the same
                _LOG.exception("whoever was to be told that the engine died could not be")
        return tickets

    def on_failure(self, callback: Callable[[BaseException], None]) -> None:
        """Call back when the engine dies, at once if it has."""
        with self._changed:
            error = self.error
            if error is None:
                self._on_failure.append(callback)
        if error is not None:
            callback(error)

    def reason(self) -> EngineError:
        """Return what to tell the caller of a job that cannot be decoded any more."""
        if self.error is not None:
            failure = EngineFailedError(f"the engine has failed: {self.error}")
            failure.__cause__ = self.error
            return failure
        return EngineStoppedError("the engine does not take jobs: it is stopping, or not started")

    def statistics(self) -> Statistics:
        """Read all counters at one moment."""
        with self._changed:
            full = self._scheduler.max_rows
            return Statistics(
                admitted=self._admitted,
                source_tokens=self._source_tokens,
                rejected=self._rejected,
                completed=self._outcomes[Outcome.COMPLETED],
                failed=self._outcomes[Outcome.FAILED],
                cancelled=self._outcomes[Outcome.CANCELLED],
                expired=self._outcomes[Outcome.EXPIRED],
                queued=len(self._scheduler),
                queued_tokens=self._scheduler.queued_tokens,
                running=len(self._running),
                running_rows=sum(ticket.rows for ticket in self._running),
                state_bytes=sum(self.state_bytes.values()),
                estimated_wait=self._scheduler.estimated_wait,
                rounds=self._rounds,
                steps=self._work.steps,
                rows=self._work.rows,
                tokens=self._tokens,
                ragged_admissions=self._work.ragged_admissions,
                bytes_copied=self._work.bytes_copied,
                occupancy=self._work.rows / (full * max(self._rounds, 1)),
                occupancy_waiting=self._rows_waiting / (full * max(self._rounds_waiting, 1)),
            )
