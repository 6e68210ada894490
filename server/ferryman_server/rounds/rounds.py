"""All sentences of a request, round after round, until each has its answer."""

from __future__ import annotations

from collections.abc import Sequence

from ferryman_server.engine import Job, Result
from ferryman_server.rounds.attempt import Attempt
from ferryman_server.rounds.course import (
    Conditions,
    better,
    doubted,
    first_attempt,
    next_attempt,
)
from ferryman_server.rounds.task import Outcome, Task


class Rounds:
    """Sentences on their way through their attempts.

    Args:
        tasks: The sentences, in the order in which their answers are wanted.
        conditions: What may be done with them.

    Attributes:
        count: Rounds that were decoded.
        jobs: What the engine is to do in this round; nothing once every sentence has its answer.
    """

    def __init__(self, tasks: Sequence[Task], conditions: Conditions | None = None) -> None:
        self.count = 0
        self.jobs: list[Job] = []
        self._conditions = conditions or Conditions()
        self._outcomes: list[Outcome | None] = [None] * len(tasks)
        self._pending: dict[int, Attempt] = {}
        self._await({i: first_attempt(task, self._conditions) for i, task in enumerate(tasks)})

    @property
    def outcomes(self) -> list[Outcome]:
        """What came of each sentence."""
        done = [outcome for outcome in self._outcomes if outcome is not None]
        assert len(done) == len(self._outcomes), "every sentence was decoded once"
        return done

    def take(self, results: Sequence[Result]) -> None:
        """Go on with the results of this round's jobs, in their order."""
        self.count += 1
        remaining = iter(results)
        further: dict[int, Attempt] = {}
        for i, attempt in self._pending.items():
            outcome = attempt.outcome([next(remaining) for _ in range(self._counts[i])])
            outcome = doubted(attempt.task, outcome)
            self._outcomes[i] = better(self._outcomes[i], outcome)
            after = next_attempt(attempt, outcome, self._conditions)
            if after is not None:
                further[i] = after
        self._await(further)

    def give_up(self) -> None:
        """Leave every sentence as it is."""
        self._await({})

    def _await(self, attempts: dict[int, Attempt]) -> None:
        self._pending = attempts
        jobs = {i: attempt.jobs for i, attempt in attempts.items()}
        self._counts = {i: len(own) for i, own in jobs.items()}
        self.jobs = [job for own in jobs.values() for job in own]
