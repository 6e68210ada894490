"""The engine: a queue, workers that share a model, and futures for those who wait."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from types import TracebackType
from typing import Self

from ferryman_server.engine.delivery import abandon
from ferryman_server.engine.dispatcher import Dispatcher
from ferryman_server.engine.errors import UnavailableError
from ferryman_server.engine.job import Job, Result
from ferryman_server.engine.observer import Observer
from ferryman_server.engine.runtime import Runtime
from ferryman_server.engine.scheduler import Scheduler
from ferryman_server.engine.statistics import Statistics
from ferryman_server.engine.ticket import Ticket
from ferryman_server.engine.watchdog import Watchdog
from ferryman_server.engine.worker import Worker


class Engine:
    """Decodes jobs by continuous batching: they join and leave the running batch at any step.

    An answer does not depend on which other jobs are decoded with it, nor on how many workers
    there are. A round that raises fails the jobs of that batch only; a second one in a row fails
    the engine (`failed`). Use it as a context manager, or call `start` and `close`.

    Args:
        runtime: The model.
        workers: Threads that each decode a batch of their own; one for each core to use.
        max_rows: The most hypotheses in the batch of one worker.
        max_batch_tokens: The most tokens, of sources and targets with their padding, that the
            batch of one worker may grow to. It bounds the memory for state.
        max_queued_tokens: The most source tokens that may wait.
        max_lanes: The most running batches of a worker, one for each beam width and tail, each with
            memory of its own; None for any number, which fits memory that grows as it is used.
        max_wait_seconds: Nobody is let in whose turn would come later than this.
        ageing_seconds: After waiting so long a job rises by one priority.
        max_step_seconds: A step that takes longer is stuck, and the engine has failed.
        observer: Told how long steps and waits take.
    """

    def __init__(
        self,
        runtime: Runtime,
        *,
        workers: int = 1,
        max_rows: int = 64,
        max_batch_tokens: int = 65_536,
        max_queued_tokens: int = 65_536,
        max_lanes: int | None = None,
        max_wait_seconds: float = math.inf,
        ageing_seconds: float = 10.0,
        max_step_seconds: float = 120.0,
        observer: Observer | None = None,
    ) -> None:
        self._runtime = runtime
        self._max_rows = max_rows
        self._dispatcher = Dispatcher(
            Scheduler(
                max_rows=max_rows,
                max_batch_tokens=max_batch_tokens,
                max_queued_tokens=max_queued_tokens,
                max_lanes=max_lanes,
                max_wait_seconds=max_wait_seconds,
                ageing_seconds=ageing_seconds,
            )
        )
        self._workers = [
            Worker(
                runtime,
                self._dispatcher,
                max_rows=max_rows,
                name=f"decode-{number}",
                observer=observer or Observer(),
            )
            for number in range(workers)
        ]

        self._watchdog = Watchdog(
            self._workers, self._dispatcher, max_step_seconds=max_step_seconds
        )

    def start(self) -> None:
        """Start the workers and take jobs. An engine starts once."""
        for worker in self._workers:
            worker.start()
        self._watchdog.start()
        self._dispatcher.open()

    def submit(self, jobs: Sequence[Job]) -> list[Future[Result]]:
        """Let jobs wait for their turn, all or none.

        Returns:
            A future for each job, in order. Cancelling it works even while the job is decoded; the
            engine drops the job within one step. It raises `DeadlineError`, `EngineStoppedError`
            or `EngineFailedError` where there is no answer.

        Raises:
            OverloadedError: The queue has no room for all of them, or their turn would come too
                late; as QuotaError, their client has its share of the queue.
            DeadlineError: Their deadline would pass before their turn.
            EngineStoppedError: The engine is not started, is draining, or is closed.
            EngineFailedError: The engine has failed.
            UnavailableError: A search needs a graph that this model does not have.
            ValueError: A job is one that this model or engine can never take.
        """
        for job in jobs:
            self._check(job)
        now = time.monotonic()
        tickets = [Ticket(job, now, self._dispatcher.cancel) for job in jobs]
        # Whoever submits many waits for the last of them: the longest first leaves no straggler at
        # the end, and sentences that board together have like lengths.
        self._dispatcher.enter(sorted(tickets, key=lambda ticket: -ticket.source_tokens))
        return list(tickets)

    def statistics(self) -> Statistics:
        """Return what the engine has done so far."""
        return self._dispatcher.statistics()

    @property
    def failed(self) -> BaseException | None:
        """The exception that the engine died of, or None; it does not recover."""
        return self._dispatcher.error

    def on_failure(self, callback: Callable[[BaseException], None]) -> None:
        """Call back when the engine dies, at once if it has; in the thread in which it does.

        Args:
            callback: Gets the exception that the engine died of. It must not block.
        """
        self._dispatcher.on_failure(callback)

    def drain(self, timeout: float) -> bool:
        """Take no more jobs and wait until all have ended, but not longer than ``timeout`` seconds.

        Returns:
            Whether all have ended.
        """
        return self._dispatcher.drain(timeout)

    def close(self) -> None:
        """Stop at once: jobs that have not ended get `EngineStoppedError`. May be repeated."""
        self._watchdog.stop()
        abandon(self._dispatcher, self._dispatcher.close())
        for worker in self._workers:
            worker.join()

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close."""
        self.close()

    def _check(self, job: Job) -> None:
        """Refuse what would fail, or harm, the batch it is decoded in."""
        runtime, search = self._runtime, job.search
        if not 1 <= len(job.source) <= runtime.max_source_tokens:
            raise ValueError(
                f"a source must have 1 to {runtime.max_source_tokens} tokens, "
                f"but has {len(job.source)}"
            )
        if min(job.source) < 0 or max(job.source) >= runtime.vocabulary_size:
            raise ValueError(f"source ids must be 0 to {runtime.vocabulary_size - 1}")
        if search.max_tokens > runtime.max_target_tokens + 1:
            raise ValueError(
                f"max_tokens must be at most {runtime.max_target_tokens + 1}, "
                f"but is {search.max_tokens}"
            )
        if search.rows > self._max_rows:
            raise ValueError(
                f"beam_size, samples and alternatives must be at most {self._max_rows}, "
                f"but are {search.rows}"
            )
        imposed = (*search.prefix, *(token for _, token in search.forced))
        if not all(0 <= i < runtime.vocabulary_size and i != runtime.eos for i in imposed):
            raise ValueError(
                f"prefix and forced ids must be 0 to {runtime.vocabulary_size - 1} and not the "
                f"end of the sentence, {runtime.eos}"
            )
        if search.full_tail_options and not runtime.has_full_tail:
            raise UnavailableError(search.full_tail_options, "step_full")
        if search.shortlist and not runtime.has_shortlist:
            raise UnavailableError(["shortlist"], "step_shortlist")
        if search.coverage_penalty and not runtime.has_attention:
            raise UnavailableError(["coverage_penalty"], "scorer")
