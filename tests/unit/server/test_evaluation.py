"""A test set through the engine, with an engine that writes in upper case."""

from __future__ import annotations

from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
import pytest

from ferryman_quality.errors import NoAttentionError, SettingError
from ferryman_quality.settings import Device, Settings
from ferryman_server import evaluation
from ferryman_server.decoding import AppliedOptions
from ferryman_server.engine import Statistics
from ferryman_server.evaluation import BundleSystem, translate_lines
from ferryman_server.runtime import Scored

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


class CountingEngine:
    """An engine that has counted something."""

    def __init__(self, engine, counters):
        self._counters = counters
        self.submit = engine.submit

    def statistics(self):
        return Statistics(**self._counters)


@pytest.fixture
def system(engine, bundle, monkeypatch):
    """The bundle as a system; what configurations it ran with is in `system.configs`."""
    counters = dict.fromkeys(Statistics.__slots__, 0) | {
        "steps": 4,
        "bytes_copied": 100_000,
        "tokens": 30,
        "occupancy": 0.5,
        "occupancy_waiting": 0.75,
    }
    configs = []

    @contextmanager
    def running_engine(given, config):
        assert given is bundle
        configs.append(config)
        yield CountingEngine(engine, counters)

    monkeypatch.setattr(evaluation, "find_bundle", lambda name: f"folder of {name}")
    monkeypatch.setattr(evaluation, "load_bundle", {"folder of letters": bundle}.get)
    monkeypatch.setattr(evaluation, "running_engine", running_engine)
    made = BundleSystem("letters")
    made.configs = configs
    return made


def test_a_bundle_tells_what_its_engine_did(system):
    seen = []
    output = system.translate(["a", "b c"], Settings(), lambda: seen.append(1))
    assert output.translations == ["A", "B C"]
    assert len(seen) == 2
    assert output.seconds > 0
    assert output.figures["steps"] == 4
    assert output.figures["state_bytes_copied_per_step"] == 25_000
    assert output.figures["mean_occupancy"] == 0.5
    assert output.figures["mean_occupancy_while_sentences_wait"] == 0.75
    assert output.figures["tokens_per_second"] == pytest.approx(30 / output.seconds, rel=0.01)
    assert output.remarks["batch occupancy"].startswith("50.0% on average, 75.0%")


def test_settings_decide_search_and_engine_and_the_model_the_rest(system, engine, bundle):
    generation = bundle.manifest.generation
    system.translate(["a"], Settings(), lambda: None)
    system.translate(
        ["a"],
        Settings(beam_size=9, length_penalty=0.25, workers=3, max_rows=8, device=Device.CPU),
        lambda: None,
    )
    default, asked = (job.search for job in engine.jobs)
    assert default.beam_size == generation.beam_size
    assert default.length_penalty == generation.length_penalty
    assert (asked.beam_size, asked.length_penalty) == (9, 0.25)
    first, second = system.configs
    assert first.max_rows == 64
    assert (second.workers, second.max_rows, second.device) == (3, 9, "cpu")


def test_attention_of_a_bundle_is_the_scorers(system, engine, bundle, monkeypatch):
    asked = []

    class MadeUpScorer:
        def __init__(self, given):
            assert given is bundle

        def score(self, sources, targets):
            asked.append((sources, targets))
            shape = (len(targets[0]) + 1, len(sources[0]) + 1)
            return [Scored(np.zeros(shape[0]), np.full(shape, 0.5, np.float32))]

    monkeypatch.setattr(evaluation, "Scorer", MadeUpScorer)
    monkeypatch.setattr(type(bundle.tokenizer), "piece", lambda self, i: chr(i), raising=False)
    own = system.attend("ab", None, Settings(beam_size=1))
    given = system.attend("ab", "xyz", Settings())
    assert asked == [([[97, 98]], [(65, 66)]), ([[97, 98]], [(120, 121, 122)])]
    assert (own.source, own.target) == (("a", "b", "\x03"), ("A", "B", "\x03"))
    assert given.target == ("x", "y", "z", "\x03")
    assert given.weights.shape == (4, 3)
    assert len(engine.jobs) == 1


def test_texts_that_are_too_long_to_show_are_refused_not_cut(system, bundle, monkeypatch):
    monkeypatch.setattr(evaluation, "Scorer", lambda bundle: None)
    limits = bundle.manifest.limits
    with pytest.raises(SettingError, match="TEXT: has"):
        system.attend("a" * (limits.max_source_tokens + 1), "x", Settings())
    with pytest.raises(SettingError, match="--target: has"):
        system.attend("a", "x" * (limits.max_target_tokens + 1), Settings())


def test_a_bundle_that_has_no_attention_to_show_says_so(system, monkeypatch):
    with pytest.raises(NoAttentionError, match="has no scorer graph"):
        system.attend("ab", "x", Settings())
    without = SimpleNamespace(score=lambda *_: [Scored(np.zeros(2), None)])
    monkeypatch.setattr(evaluation, "Scorer", lambda bundle: without)
    with pytest.raises(NoAttentionError, match="letters has no attention"):
        system.attend("ab", "x", Settings())
