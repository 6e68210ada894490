"""Certifying that answers do not depend on company: batch invariance, on the machine at hand.

Kernels choose how to add numbers up by the shapes that they see, and each processor has kernels of
its own. So whether a sentence gets the same bits alone and in any batch can only be found out where
it is decoded.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from ferryman_server.engine.engine import Engine
from ferryman_server.engine.job import Hypothesis, Job
from ferryman_server.engine.runtime import Runtime
from ferryman_server.engine.search_options import Sampling, Search, Tail

Ids = tuple[int, ...]
Answers = list[tuple[Hypothesis, ...]]

_MAX_TOKENS: Final = 48
"""Of a target: long enough for caches to grow beside short ones, and soon done."""
_ROWS: Final = 64
"""Of the running batch: fewer than there are jobs, most of which join others under way."""
_LENGTHS: Final = (1, 2, 3, 5, 7, 8, 9, 12, 15, 16, 17, 24, 31, 32, 33, 48, 63, 64, 65, 96, 127)
"""Of generated sources: on both sides of what is padded to, and of what memory grows to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What came of one kind of company for one kind of search."""

    search: str
    company: str
    sentences: int
    differing: int
    """Sentences whose hypotheses, scores or log-probabilities are not the same to the last bit."""
    largest_difference: float
    """Of the log-probability of a best hypothesis, where the tokens are the same; else 0."""
    example: Ids | None
    """The source of the first that differs."""

    @property
    def holds(self) -> bool:
        """Whether every answer was the same."""
        return not self.differing


def generated_sources(runtime: Runtime, words: Sequence[int], *, seed: int) -> list[Ids]:
    """Return sources of all kinds of lengths.

    Args:
        runtime: Says how long a source may be.
        words: Tokens to make them of.
        seed: Of the choice.
    """
    draw = random.Random(seed)
    lengths = [n for n in _LENGTHS if n <= runtime.max_source_tokens]
    return [tuple(draw.choices(words, k=length)) for length in lengths]


def searches_for(runtime: Runtime) -> dict[str, Search]:
    """Return searches of every kind that a model can be asked for, by name."""
    most = min(_MAX_TOKENS, runtime.max_target_tokens)
    searches = {
        "greedy": Search(max_tokens=most),
        "beam 4": Search(max_tokens=most, beam_size=4, num_hypotheses=4),
        "diverse beam 4": Search(
            max_tokens=most, beam_size=4, num_hypotheses=4, groups=2, diversity=0.5
        ),
        "sampling, top-k 10": Search(max_tokens=most, sampling=Sampling(seed=1, top_k=10)),
        "3 samples, top-p 0.9": Search(
            max_tokens=most, num_hypotheses=3, sampling=Sampling(seed=2, top_p=0.9)
        ),
        "beam 2, penalty 1.2": Search(max_tokens=most, beam_size=2, repetition_penalty=1.2),
        "greedy, shortlist": Search(max_tokens=most, shortlist=True),
        "beam 4, shortlist": Search(max_tokens=most, beam_size=4, num_hypotheses=4, shortlist=True),
    }
    has = {
        Tail.FAST: True,
        Tail.FULL: runtime.has_full_tail,
        Tail.SHORTLIST: runtime.has_shortlist,
    }
    return {name: search for name, search in searches.items() if has[search.tail]}


def certify(
    runtime: Runtime,
    sources: Sequence[Ids],
    *,
    seed: int,
    timeout: float = 600.0,
) -> Iterator[Finding]:
    """Decode sources alone and in company, with every kind of search, and compare the bits.

    Args:
        runtime: The model.
        sources: Token ids, without the end of sentence.
        seed: Of the order in which they arrive.
        timeout: Seconds that one answer may take.

    Yields:
        A finding for each kind of search and of company.
    """
    searches = searches_for(runtime)
    alone = {
        name: _alone(runtime, [Job(source=s, search=search) for s in sources], timeout)
        for name, search in searches.items()
    }
    for company, decoded in _companies(runtime, sources, searches, seed=seed, timeout=timeout):
        for name in searches:
            yield _compare(name, company, sources, alone[name], decoded[name])


def _companies(
    runtime: Runtime,
    sources: Sequence[Ids],
    searches: Mapping[str, Search],
    *,
    seed: int,
    timeout: float,
) -> Iterator[tuple[str, dict[str, Answers]]]:
    """Yield each kind of company and, by search, what every source got in it."""
    draw = random.Random(seed)
    by_kind = {}
    for name, search in searches.items():
        jobs = [Job(source=source, search=search) for source in sources]
        by_kind[name] = _together(runtime, jobs, draw, timeout)
    yield "all of one kind at once", by_kind
    for company, workers in (("joining among all kinds", 1), ("the same, with 2 workers", 2)):
        jobs = [Job(source=s, search=search) for search in searches.values() for s in sources]
        answers = iter(_together(runtime, jobs, draw, timeout, workers=workers))
        yield company, {name: [next(answers) for _ in sources] for name in searches}


def _alone(runtime: Runtime, jobs: Sequence[Job], timeout: float) -> Answers:
    with Engine(runtime, max_rows=_ROWS) as engine:
        return [engine.submit([job])[0].result(timeout).hypotheses for job in jobs]


def _together(
    runtime: Runtime,
    jobs: Sequence[Job],
    draw: random.Random,
    timeout: float,
    *,
    workers: int = 1,
) -> Answers:
    """Submit jobs in any order."""
    order = draw.sample(range(len(jobs)), len(jobs))
    tokens = sum(len(job.source) + 1 for job in jobs)
    with Engine(runtime, max_rows=_ROWS, workers=workers, max_queued_tokens=tokens) as engine:
        futures = dict(zip(order, engine.submit([jobs[i] for i in order]), strict=True))
        return [futures[i].result(timeout).hypotheses for i in range(len(jobs))]


def _compare(
    search: str, company: str, sources: Sequence[Ids], alone: Answers, found: Answers
) -> Finding:
    differing = [i for i in range(len(sources)) if alone[i] != found[i]]
    return Finding(
        search=search,
        company=company,
        sentences=len(sources),
        differing=len(differing),
        largest_difference=max(
            (
                abs(alone[i][0].log_prob - found[i][0].log_prob)
                for i in differing
                if alone[i][0].ids == found[i][0].ids
            ),
            default=0.0,
        ),
        example=sources[differing[0]] if differing else None,
    )
