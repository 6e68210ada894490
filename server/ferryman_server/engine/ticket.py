"""A ticket: one job on its way through the engine, and the future that its caller holds."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future

from ferryman_server.engine.job import Job, Result


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
    """

    def __init__(
        self, job: Job, submitted: float, on_cancel: Callable[[Ticket], None] | None = None
    ) -> None:
        super().__init__()
        self.job = job
        self.submitted = submitted
        self.boarded = submitted
        self._on_cancel = on_cancel

    @property
    def source_tokens(self) -> int:
        """What the job weighs in the queue: its source with its end."""
        return len(self.job.source) + 1

    @property
    def rows(self) -> int:
        """How many hypotheses it has in the running batch."""
        return self.job.search.beam_size

    def has_expired(self, now: float) -> bool:
        """Tell whether its deadline has passed."""
        return self.job.deadline is not None and self.job.deadline <= now

    def cancel(self) -> bool:
        """Cancel the job, running or not; False if it has ended already."""
        cancelled = super().cancel()
        if cancelled and self._on_cancel is not None:
            self._on_cancel(self)
        return cancelled
