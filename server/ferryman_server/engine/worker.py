"""A worker: one thread that boards, steps and delivers, until it is told to stop."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from typing import Final

from ferryman_server.engine.batch import Batch, Work
from ferryman_server.engine.delivery import abandon, deliver
from ferryman_server.engine.dispatcher import Dispatcher, Orders
from ferryman_server.engine.errors import DeadlineError, EngineFailedError, Phase
from ferryman_server.engine.job import Result
from ferryman_server.engine.lane import Finished
from ferryman_server.engine.observer import Observer
from ferryman_server.engine.runtime import Runtime
from ferryman_server.engine.ticket import Ticket

_LOG = logging.getLogger(__name__)
_FATAL_FAILURES: Final = 2
"""Failed rounds in a row after which the fault is not in what was decoded."""


_UNSETTLED_ROUNDS: Final = 16
"""After so many rounds the statistics are brought up to date, even if nothing happens."""


class Worker:
    """Decodes what the dispatcher gives it.

    Args:
        runtime: The model, shared with other workers.
        dispatcher: Where jobs come from.
        max_rows: The most hypotheses at a time.
        name: The thread's.
        observer: Told how long steps and waits take.
    """

    def __init__(
        self,
        runtime: Runtime,
        dispatcher: Dispatcher,
        *,
        max_rows: int,
        name: str,
        observer: Observer,
    ) -> None:
        self._runtime = runtime
        self._dispatcher = dispatcher
        self._max_rows = max_rows
        self._batch = Batch(runtime, max_rows=max_rows)
        self._failures = 0
        self._orders: Orders | None = None
        self._round_began: float | None = None
        self.is_stuck = False
        """Whether a step took so long that nobody waits for it any more."""
        self._observer = observer
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def join(self) -> None:
        """Wait until the thread has ended, unless it is stuck in a step for good."""
        if self._thread.ident is not None:
            self._thread.join(0.0 if self.is_stuck else None)

    def busy_seconds(self, now: float) -> float:
        """Return how long the present round has taken so far; 0 between rounds."""
        began = self._round_began
        return 0.0 if began is None else now - began

    def give_up(self) -> list[Ticket]:
        """Take everything from a worker that is stuck; should it wake, it delivers nothing."""
        self.is_stuck = True
        return self._in_hand()

    def _in_hand(self) -> list[Ticket]:
        """Return the tickets that this worker has, and has not settled."""
        ordered = [*self._orders.boarders, *self._orders.expired] if self._orders else []
        return self._dispatcher.unsettled(dict.fromkeys([*self._batch.tickets, *ordered]))

    def _run(self) -> None:
        try:
            while (orders := self._dispatcher.next_orders(self._batch.tickets)) is not None:
                self._follow(orders)
        except BaseException as error:
            # A fault of ours, not of the model. A server whose worker is gone must not look well.
            _LOG.exception("a worker ended of a fault")
            abandon(self._dispatcher, self._dispatcher.close(error))
        if not self.is_stuck:
            abandon(self._dispatcher, self._in_hand())

    def _follow(self, orders: Orders) -> None:
        """Do one round: who leaves, who boards, one step, what is delivered."""
        self._orders = orders
        leaving = self._batch.leave(orders.now, self._dispatcher.cancellations)
        deliver(
            self._dispatcher,
            [
                *((ticket, DeadlineError(Phase.QUEUED)) for ticket in orders.expired),
                *((ticket, DeadlineError(Phase.DECODING)) for ticket in leaving),
            ],
        )
        for ticket in orders.boarders:
            ticket.boarded = orders.now
        try:
            finished, work = self._round(orders.boarders, orders.companions)
            # As long as nobody comes, leaves or is done there is nothing to settle under the lock.
            while not finished and work.rounds < _UNSETTLED_ROUNDS and self._is_quiet(orders):
                finished, more = self._round(())
                work.add(more)
        except Exception as error:  # whatever a runtime raises ends its batch
            if not self.is_stuck:
                self._recover(orders.boarders, error)
            return
        if self.is_stuck:
            return
        if work.steps:
            self._failures = 0
            self._dispatcher.record(work, waiting=orders.waiting)
            self._dispatcher.state_bytes[self._thread.name] = self._batch.state_bytes
        now = time.monotonic()
        answers = [(done.ticket, _result(done, now)) for done in finished]
        for _, result in answers:
            self._observer.completed(result)
        deliver(self._dispatcher, answers)

    def _round(
        self, boarders: Sequence[Ticket], companions: Sequence[Ticket] = ()
    ) -> tuple[list[Finished], Work]:
        """Do one round of the batch, and say how long it took."""
        before = self._round_began = time.monotonic()
        try:
            finished, work = self._batch.round(boarders, companions)
        finally:
            self._round_began = None
        now = time.monotonic()
        if work.steps:
            self._observer.stepped(now - before)
        for ticket in boarders:
            ticket.began = now
            self._observer.boarded(ticket.boarded - ticket.submitted)
            self._observer.began(now - ticket.submitted)
        return finished, work

    def _is_quiet(self, orders: Orders) -> bool:
        """Tell whether nothing happened since the orders were given; the lock is not needed."""
        return (
            not orders.waiting
            and self._dispatcher.changes == orders.changes
            and time.monotonic() < self._batch.next_deadline
        )

    def _recover(self, boarders: Sequence[Ticket], error: Exception) -> None:
        """Fail the batch and start a new one; after two failures in a row, fail the engine."""
        _LOG.error("a round of decoding failed; its batch is given up", exc_info=error)
        self._failures += 1
        lost = dict.fromkeys([*self._batch.tickets, *boarders])
        self._batch = Batch(self._runtime, max_rows=self._max_rows)
        failure = EngineFailedError(f"decoding failed: {error}")
        failure.__cause__ = error
        deliver(self._dispatcher, [(ticket, failure) for ticket in lost])
        if self._failures == _FATAL_FAILURES:
            abandon(self._dispatcher, self._dispatcher.close(error))


def _result(finished: Finished, now: float) -> Result:
    ticket = finished.ticket
    return Result(
        hypotheses=finished.hypotheses,
        queue_seconds=ticket.boarded - ticket.submitted,
        decode_seconds=now - ticket.boarded,
        steps=finished.steps,
        first_token_seconds=ticket.began - ticket.submitted,
    )
