"""Why the engine did not answer a job, and what the caller can do.

* EngineError
  + OverloadedError      by `submit`          the queue is full; retry after `retry_after` seconds
    + QuotaError         by `submit`          the caller has too much of it; the same
  + EngineStoppedError   by `submit`, future  the engine is not started, is draining, or is closed
  + EngineFailedError    by `submit`, future  decoding itself failed
  + DeadlineError        by `submit`, future  the deadline passed, or would before the job's turn
  + UnavailableError     by `submit`          the model lacks a graph that the search needs

A job that its caller cancelled is no error: its future is cancelled. A job that no batch could ever
hold (too long, too wide) is the caller's fault and raises `ValueError` from `submit`.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum


class EngineError(Exception):
    """The engine gives no answer for a job."""


class OverloadedError(EngineError):
    """The queue has no room for all the jobs submitted, so it took none of them.

    Args:
        retry_after: Seconds until there is room, at the speed measured lately.
    """

    def __init__(self, retry_after: float) -> None:
        super().__init__(f"the queue is full; retry in {retry_after:.1f} s")
        self.retry_after = retry_after


class QuotaError(OverloadedError):
    """There is room in the queue, but its caller has more than a fair share of it already."""


class EngineStoppedError(EngineError):
    """The engine takes no jobs: it is not started, is draining, or is closed."""


class EngineFailedError(EngineError):
    """Decoding raised an exception; it is the cause (``__cause__``) of this error."""


class Phase(StrEnum):
    """Where a job was when something befell it."""

    QUEUED = "queued"
    DECODING = "decoding"


class DeadlineError(EngineError):
    """The job's deadline passed before its answer was complete.

    Args:
        phase: Where the job was.
    """

    def __init__(self, phase: Phase) -> None:
        where = "waited" if phase is Phase.QUEUED else "was decoded"
        super().__init__(f"the deadline passed while the job {where}")
        self.phase = phase


class UnavailableError(EngineError):
    """The model lacks a graph that the search needs.

    Args:
        options: The fields of `Search` that need it.
        graph: What is missing.
    """

    def __init__(self, options: Sequence[str], graph: str) -> None:
        super().__init__(f"{', '.join(options)}: this model has no graph {graph}, which it takes")
        self.options = tuple(options)
        self.graph = graph
