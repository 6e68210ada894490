"""One case of the batch invariance property: jobs of every kind, alone and in any company."""

from __future__ import annotations

import random
import time
from collections import defaultdict
from dataclasses import dataclass, replace

from any_search import draw_search
from toy_model import ARCHITECTURES, ToyRuntime

from ferryman_server.engine import Engine, Hypothesis, Job, Runtime, Search
from ferryman_server.engine.batch import Batch
from ferryman_server.engine.ticket import Ticket

MAX_ROWS = 16
PATIENCE = 60
"""Seconds after which something that should happen at once does not happen at all."""

Answers = list[tuple[Hypothesis, ...]]


@dataclass(frozen=True)
class Case:
    """A model and what it is to decode."""

    runtime: Runtime
    jobs: list[Job]

    @classmethod
    def drawn(cls, draw: random.Random, runtime: Runtime | None = None) -> Case:
        """Return a few sources, with a search of its own each.

        Args:
            draw: What decides.
            runtime: The model; None for a toy of any architecture.
        """
        words = draw.choice([1, 1, 3, 12])
        if runtime is None:
            runtime = ToyRuntime(
                words,
                seed=draw.randrange(8),
                ties=draw.random() < 0.3,
                architecture=draw.choice(sorted(ARCHITECTURES)),
            )
        words = runtime.vocabulary_size - 4
        jobs = [
            Job(
                source=tuple(draw.choices(range(4, 4 + words), k=_length(draw))),
                search=_search_for(runtime, draw, words),
            )
            for _ in range(draw.randint(2, 5))
        ]
        return cls(runtime, jobs)

    def alone(self) -> Answers:
        """Decode each job when there is no other."""
        return [self._decoded({0: [job]}, [job])[0] for job in self.jobs]

    def mid_flight(self, draw: random.Random) -> tuple[Answers, list[tuple[int, ...]]]:
        """Let the jobs join at any step, among others of which some are cancelled.

        Returns:
            The answers, and what a listener of each job was told in all.
        """
        told: dict[int, tuple[int, ...]] = defaultdict(tuple)
        jobs = [
            replace(job, listener=lambda tokens, i=i: told.update({i: told[i] + tokens}))
            for i, job in enumerate(self.jobs)
        ]
        others = draw.choices(self.jobs, k=draw.randint(0, 4))
        arrivals: dict[int, list[Job]] = defaultdict(list)
        for job in draw.sample([*jobs, *others], len(jobs) + len(others)):
            arrivals[draw.randint(0, 12)].append(job)
        answers = self._decoded(arrivals, jobs, cancelling=draw)
        return answers, [told[i] for i in range(len(jobs))]

    def by_engine(self, draw: random.Random, *, workers: int) -> Answers:
        """Submit the jobs in any order to an engine with threads."""
        order = draw.sample(range(len(self.jobs)), len(self.jobs))
        with Engine(self.runtime, max_rows=MAX_ROWS, workers=workers) as engine:
            futures = dict(zip(order, engine.submit([self.jobs[i] for i in order]), strict=True))
            return [futures[i].result(PATIENCE).hypotheses for i in range(len(self.jobs))]

    def _decoded(
        self,
        arrivals: dict[int, list[Job]],
        asked: list[Job],
        *,
        cancelling: random.Random | None = None,
    ) -> Answers:
        """Run a batch until nobody is left; return the answers to the jobs asked about.

        Args:
            arrivals: The jobs that come, by round.
            asked: Those whose answers are wanted; the others may be cancelled.
            cancelling: What decides who is.
        """
        batch, answers = Batch(self.runtime, max_rows=MAX_ROWS), {}
        waiting: list[Ticket] = []
        rounds = cancellations = 0
        wanted = {id(job) for job in asked}
        while waiting or batch.tickets or rounds <= max(arrivals):
            waiting += [Ticket(job, time.monotonic()) for job in arrivals.get(rounds, [])]
            if cancelling is not None and cancelling.random() < 0.2:
                others = [t for t in batch.tickets if id(t.job) not in wanted]
                for ticket in others[:1]:
                    ticket.cancel()
                    cancellations += 1
            batch.leave(0.0, cancellations)
            rows, boarders = sum(ticket.rows for ticket in batch.tickets), []
            while waiting and rows + waiting[0].rows <= MAX_ROWS:
                rows += waiting[0].rows
                boarders.append(waiting.pop(0))
            finished, _ = batch.round(boarders)
            answers.update((id(done.ticket.job), done.hypotheses) for done in finished)
            rounds += 1
        return [answers[id(job)] for job in asked]


def _search_for(runtime: Runtime, draw: random.Random, words: int) -> Search:
    """Return a search that the model has the graphs for."""
    while True:
        search = draw_search(draw, words=words, longest=20)
        needs_more = bool(search.full_tail_options) and not runtime.has_full_tail
        needs_list = search.shortlist and not runtime.has_shortlist
        if (
            not needs_more
            and not needs_list
            and (runtime.has_attention or not search.coverage_penalty)
        ):
            return search


def _length(draw: random.Random) -> int:
    """Return the length of a source: mostly short, and around the lengths that padding has."""
    return draw.choice([1, 1, 2, draw.randint(1, 12), draw.choice([6, 7, 8, 9, 15, 16, 40])])
