"""Files of any length go through with the memory of a few lines."""

from __future__ import annotations

import itertools
from concurrent.futures import Future
from pathlib import Path

import pytest
from benchmarks.line_stream import CHUNK, resident_bytes, slope, translate_lines
from benchmarks.scaling import sizes

from ferryman_bundle import Bundle
from ferryman_server.engine import Engine, FinishReason, Hypothesis, Result, Search
from ferryman_server.runtime import OnnxRuntime

BUNDLE = Path(__file__).parents[3] / "models" / "en-fr" / "ferryman_model_en_fr" / "bundle"


class CountingEngine:
    """Answers at once with as many tokens as the source has, and counts what was not read yet."""

    def __init__(self) -> None:
        self.submitted = 0

    def submit(self, jobs):
        self.submitted += len(jobs)
        return [self._answer(job) for job in jobs]

    def _answer(self, job) -> Future[Result]:
        hypothesis = Hypothesis(
            ids=job.source,
            token_log_probs=(),
            log_prob=0.0,
            score=0.0,
            finish_reason=FinishReason.EOS,
        )
        future: Future[Result] = Future()
        future.set_result(
            Result(hypotheses=(hypothesis,), queue_seconds=0, decode_seconds=0, steps=0)
        )
        return future


def test_every_line_is_translated_once_and_few_are_under_way():
    engine = CountingEngine()
    sources = ((1,) * (i % 3 + 1) for i in itertools.count())
    seen: list[int] = []

    def resident() -> int:
        seen.append(engine.submitted)
        return 1000 + len(seen)

    run = translate_lines(engine, sources, Search(max_tokens=9), 3001, resident=resident)
    assert run.lines == engine.submitted == 3001
    assert run.tokens == sum(i % 3 + 2 for i in range(3001))
    done = [lines for lines, _ in run.resident]
    assert done == [*range(0, 3001, CHUNK), 3001]
    assert all(ahead - lines <= 3 * CHUNK for ahead, lines in zip(seen, done, strict=True))


def test_growth_is_that_of_the_second_half_so_that_warming_up_is_none():
    engine = CountingEngine()
    memory = itertools.chain([0, 10**6, 2 * 10**6, 3 * 10**6], itertools.repeat(3 * 10**6))
    run = translate_lines(
        engine,
        itertools.repeat((1,)),
        Search(max_tokens=9),
        10 * CHUNK,
        resident=lambda: next(memory),
    )
    assert run.growth == 0
    leak = itertools.count(0, 5 * CHUNK)
    run = translate_lines(
        engine,
        itertools.repeat((1,)),
        Search(max_tokens=9),
        10 * CHUNK,
        resident=lambda: next(leak),
    )
    assert run.growth == pytest.approx(5)


def test_one_point_has_no_slope():
    assert slope([(1, 5)]) == 0
    assert slope([(0, 1), (2, 5)]) == 2


def test_files_grow_tenfold_up_to_the_most():
    assert sizes(1_000_000) == [1_000, 10_000, 100_000, 1_000_000]
    assert sizes(30) == [30]


def test_a_real_engine_translates_a_stream():
    bundle = Bundle.load(BUNDLE)
    runtime = OnnxRuntime(bundle, variant="int8")
    sources = itertools.cycle([tuple(bundle.tokenizer.encode("Open the file."))])
    with Engine(runtime, max_queued_tokens=1 << 16) as engine:
        run = translate_lines(engine, sources, Search(max_tokens=8), 20, resident=resident_bytes)
    assert run.lines == 20
    assert run.tokens >= 40
    assert run.wall > 0
    assert all(resident > 1 << 20 for _, resident in run.resident)
