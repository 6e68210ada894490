"""A test set through the engine, with an engine that writes in upper case."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from ferryman_server.decoding import AppliedOptions
from ferryman_server.engine import Statistics
from ferryman_server.evaluation import measure, translate_lines

OPTIONS = AppliedOptions(
    beam_size=1,
    num_hypotheses=1,
    length_penalty=1.0,
    min_tokens=0,
    max_tokens=80,
    max_length_ratio=2.0,
    max_length_offset=10,
)


@pytest.fixture
def bundle(model):
    return SimpleNamespace(manifest=model.manifest, tokenizer=model.tokenizer)


def test_lines_are_translated_whole_in_order_and_counted(engine, bundle):
    lines = [f"Line {i}. Two sentences." for i in range(1200)]
    seen = []
    translations = translate_lines(engine, bundle, lines, OPTIONS, on_line=lambda: seen.append(1))
    assert translations == [line.upper() for line in lines]
    assert len(engine.jobs) == len(seen) == 1200


def test_a_line_without_words_and_one_that_is_too_long_are_translated_too(engine, bundle):
    long = "word " * 30
    assert translate_lines(engine, bundle, ["---", long, ""], OPTIONS) == ["---", long.upper(), ""]
    assert len(engine.jobs) == 4


def test_the_engine_has_many_lines_but_not_all_at_once(engine, bundle, monkeypatch):
    waiting = []
    submit = engine.submit

    def submit_and_watch(jobs):
        futures = submit(jobs)
        for future in futures:
            monkeypatch.setattr(future, "result", lambda f=future: answer(f))
        return futures

    def answer(future):
        waiting.append(sum(not other.done() for other in engine.futures))
        engine.release()
        return type(future).result(future)

    engine.holds = True
    monkeypatch.setattr(engine, "submit", submit_and_watch)
    translate_lines(engine, bundle, [f"line {i}" for i in range(600)], OPTIONS)
    assert max(waiting) == 512


def test_an_error_cancels_what_is_under_way(engine, bundle, monkeypatch):
    submit = engine.submit

    def fail_at_the_third(jobs):
        if len(engine.jobs) == 2:
            raise RuntimeError
        return submit(jobs)

    engine.holds = True
    monkeypatch.setattr(engine, "submit", fail_at_the_third)
    with pytest.raises(RuntimeError):
        translate_lines(engine, bundle, ["a", "b", "c"], OPTIONS)
    assert [future.cancelled() for future in engine.futures] == [True, True]


def test_a_run_tells_what_the_engine_did(engine, bundle, monkeypatch):
    counters = dict.fromkeys(Statistics.__slots__, 0) | {"steps": 4, "bytes_copied": 100}
    monkeypatch.setattr(engine, "statistics", lambda: Statistics(**counters), raising=False)
    translations, run = measure(engine, bundle, ["a", "b"], OPTIONS)
    assert translations == ["A", "B"]
    assert run.sentences == 2
    assert run.sentences_per_second == pytest.approx(2 / run.seconds)
    assert run.bytes_copied_per_step == 25
