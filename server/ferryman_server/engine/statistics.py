"""What the engine has done so far, in numbers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """A reading of the engine's counters; all but the gauges only ever grow.

    A *round* is one pass of a worker over its running batches: one step of each of them.
    At any moment ``admitted == completed + failed + cancelled + expired + queued + running``.
    """

    admitted: int
    """Jobs that `submit` accepted."""
    rejected: int
    """Jobs that `submit` refused with `OverloadedError` or `DeadlineError`."""
    completed: int
    failed: int
    cancelled: int
    expired: int
    queued: int
    """Gauge: jobs waiting for a place in a running batch."""
    queued_tokens: int
    """Gauge: source tokens of the waiting jobs."""
    running: int
    """Gauge: jobs in a running batch."""
    running_rows: int
    """Gauge: hypotheses in the running batches."""
    state_bytes: int
    """Gauge: memory of the workers' state, in bytes: caches, encoder memory, recurrent state."""
    estimated_wait: float
    """Gauge: seconds until what waits now has left the queue, at the speed measured lately."""
    source_tokens: int
    """Source tokens of the admitted jobs, ends included."""
    rounds: int
    steps: int
    """Runs of the step graph."""
    rows: int
    """Hypotheses advanced by one token, over all steps."""
    tokens: int
    """Tokens generated in completed answers' best hypotheses, ends included."""
    ragged_admissions: int
    """Sentences that joined a batch whose other sentences were already under way."""
    bytes_copied: int
    """State moved within or between buffers: beams, closing gaps, longer buffers."""
    occupancy: float
    """Mean share of ``max_rows`` in use, over all rounds; 0 before the first."""
    occupancy_waiting: float
    """The same over the rounds at whose start jobs were waiting."""
