"""A ticket: one job on its way through the engine, and the future that its caller holds."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future
from typing import NamedTuple

from ferryman_server.engine.encoding import Encoded
from ferryman_server.engine.job import Job, Result
from ferryman_server.engine.search_options import Tail

_LOG = logging.getLogger(__name__)


class LaneKey(NamedTuple):
    """What jobs must have in common to be decoded in one running batch."""

    width: int
    """Hypotheses of each source: a dimension of the step graph."""
    tail: Tail
    """What the step returns. Two graphs need not round alike, so one answer has but one of them."""


class Ticket(Future[Result]):
    """The only thing the engine keeps per job.

    It stays pending while the job runs, so that its caller can cancel it up to the last step.

    Args:
        job: What to decode.
        submitted: When it came, on `time.monotonic`'s clock, as all times here are.
        on_cancel: Told of the ticket, in the canceller's thread, when it is cancelled.

    Attributes:
        job: What to decode.
        submitted: When it came.
        boarded: When it joined a running batch.
        began: When it had its first token.
        lane: The running batch that it belongs into.
        rows: How many hypotheses it has there.
        encoded: Its encoded source, from when there is one until it has boarded.
        is_chosen: Whether a worker encodes it before its turn.
    """

    def __init__(
        self, job: Job, submitted: float, on_cancel: Callable[[Ticket], None] | None = None
    ) -> None:
        super().__init__()
        self.job = job
        self.submitted = submitted
        self.boarded = submitted
        self.began = submitted
        self.lane = LaneKey(job.search.rows, job.search.tail)
        self.rows = job.search.rows
        self.encoded: Encoded | None = None
        self.is_chosen = False
        self._on_cancel = on_cancel
        self._is_deaf = False

    @property
    def source_tokens(self) -> int:
        """What the job weighs in the queue: its source with its end."""
        return len(self.job.source) + 1

    @property
    def cost(self) -> int:
        """About how many tokens it takes: those it reads, and as many to write for each row."""
        longest = min(self.source_tokens, self.job.search.max_tokens)
        return self.source_tokens + self.rows * longest

    def has_expired(self, now: float) -> bool:
        """Tell whether its deadline has passed."""
        return self.job.deadline is not None and self.job.deadline <= now

    def tell(self, tokens: tuple[int, ...]) -> None:
        """Tell the job's listener, if it has one, of tokens that are certain."""
        if self.job.listener is None or self._is_deaf:
            return
        try:
            self.job.listener(tokens)
        except Exception:  # whatever it does must not end the batch
            _LOG.exception("a listener failed; it is told nothing more")
            self._is_deaf = True

    def cancel(self) -> bool:
        """Cancel the job, running or not; False if it has ended already."""
        cancelled = super().cancel()
        if cancelled and self._on_cancel is not None:
            self._on_cancel(self)
        return cancelled
