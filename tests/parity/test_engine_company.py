"""The engine over a real bundle: every answer has the same bits in any company.

Alone, all together, joining at any step, with one worker or two, among beams of other widths.
"""

from __future__ import annotations

import itertools
import json
import random
import sys
from pathlib import Path

import hypothesis
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

import ferryman_server.runtime
from ferryman_bundle import Bundle
from ferryman_server.commands.verify import app as verify
from ferryman_server.engine import Engine, Job, Search
from ferryman_server.runtime import OnnxRuntime, VerificationError
from ferryman_training.decoding import decode_greedily, length_limit

# The cases that the toys are held to live with them.
sys.path.insert(0, str(Path(__file__).parents[1] / "unit" / "server" / "engine"))
from company import Case

PATIENCE = 120
"""Seconds."""
CASES = 400 if hypothesis.settings.get_current_profile_name() == "deep" else 15


@pytest.fixture(scope="module")
def runtime(bundle):
    return OnnxRuntime(bundle)


@pytest.fixture(scope="module")
def sources(request, bundle):
    """64 sources of 1 to 120 tokens, most of them short as in real text."""
    draw = np.random.default_rng(request.config.option.seed)
    lengths = [1, 2, 7, 8, 9, 15, 16, 17, 63, 64, 90, 120, *draw.geometric(1 / 15, 52)]
    words = range(4, bundle.manifest.tokens.vocabulary_size)
    return [tuple(draw.choice(words, min(n, 120)).tolist()) for n in draw.permutation(lengths)]


def jobs_for(sources, width):
    """One job per source; they end at different steps, and one in three may not end early."""
    return [
        Job(
            source=source,
            search=Search(
                beam_size=width,
                num_hypotheses=width,
                min_tokens=(0, 0, 5)[number % 3],
                max_tokens=6 + len(source) % 23,
            ),
        )
        for number, source in enumerate(sources)
    ]


def decode(runtime, jobs, *, batch_size, **settings):
    """Submit jobs so many at a time, each time when the last of those before has ended."""
    with Engine(runtime, **settings) as engine:
        batches = [jobs[start : start + batch_size] for start in range(0, len(jobs), batch_size)]
        return [
            future.result(PATIENCE).hypotheses
            for batch in batches
            for future in list(engine.submit(batch))
        ]


@pytest.fixture(scope="module", params=[1, 4], ids=["greedy", "beam of 4"])
def alone(request, runtime, sources):
    """Jobs of one width, and the answer to each when it is the only one."""
    jobs = jobs_for(sources, request.param)
    with Engine(runtime) as engine:
        return jobs, [engine.submit([job])[0].result(PATIENCE).hypotheses for job in jobs]


@pytest.mark.parametrize("workers", [1, 2])
def test_all_together_as_if_alone(runtime, alone, workers):
    jobs, expected = alone
    with Engine(runtime, workers=workers) as engine:
        found = [future.result(PATIENCE).hypotheses for future in engine.submit(jobs)]
    assert found == expected


@pytest.mark.parametrize("workers", [1, 2])
def test_joining_a_running_batch_as_if_alone(runtime, alone, workers, draw):
    """A batch of 16 rows, that 64 sentences pass through in any order."""
    jobs, expected = alone
    order = draw.permutation(len(jobs)).tolist()
    with Engine(runtime, workers=workers, max_rows=16) as engine:
        futures = dict(zip(order, engine.submit([jobs[i] for i in order]), strict=True))
        found = [futures[i].result(PATIENCE).hypotheses for i in range(len(jobs))]
        statistics = engine.statistics()
    assert found == expected
    assert statistics.ragged_admissions >= len(jobs) - 2 * 16
    assert statistics.occupancy_waiting > 0.85


def test_among_beams_of_other_widths_as_if_alone(runtime, alone, sources, draw):
    jobs, expected = alone
    others = [*jobs_for(sources[:16], 2), *jobs_for(sources[:16], 5)]
    mixed = [*((job, i) for i, job in enumerate(jobs)), *((job, None) for job in others)]
    mixed = [mixed[i] for i in draw.permutation(len(mixed))]
    with Engine(runtime, max_rows=32) as engine:
        futures = engine.submit([job for job, _ in mixed])
        found = {
            index: future.result(PATIENCE).hypotheses
            for future, (_, index) in zip(futures, mixed, strict=True)
            if index is not None
        }
    assert [found[i] for i in range(len(jobs))] == expected


def test_cancelled_neighbours_leave_no_trace(runtime, alone):
    jobs, expected = alone
    with Engine(runtime, max_rows=32) as engine:
        futures = engine.submit(list(itertools.chain(*zip(jobs, jobs, strict=True))))
        for future in futures[1::6]:
            future.cancel()
        assert [future.result(PATIENCE).hypotheses for future in futures[::2]] == expected


def test_greedy_search_finds_what_torch_finds(runtime, model, tokens):
    sources = [pair.source for pair in tokens if len(pair.source) < 60][:24]
    jobs = [Job(source=s, search=Search(max_tokens=length_limit(len(s)))) for s in sources]
    with Engine(runtime) as engine:
        found = [future.result(PATIENCE).hypotheses[0] for future in engine.submit(jobs)]
    expected = decode_greedily(model, sources)
    assert [best.ids for best in found] == [decoded.ids for decoded in expected]
    for best, decoded in zip(found, expected, strict=True):
        assert best.log_prob == pytest.approx(decoded.log_probability, abs=1e-3)


def test_the_golden_sentences_come_out_as_golden(runtime, bundle):
    runtime.verify(bundle)


@pytest.mark.parametrize("change", [{"ids": (5, 6, 7)}, {"log_prob": -1.0}])
def test_another_golden_sentence_is_noticed(runtime, bundle, change):
    first, *others = bundle.manifest.golden["fp32"]
    golden = (first.model_copy(update=change), *others)
    changed = Bundle(
        bundle.manifest.model_copy(update={"golden": {"fp32": golden}}),
        bundle.tokenizer,
        bundle.contents,
    )
    with pytest.raises(VerificationError, match="translates its golden sentence"):
        runtime.verify(changed)


@settings(max_examples=CASES)
@given(number=st.integers(0, 2**48))
def test_every_search_is_the_same_in_any_company(runtime, number):
    draw = random.Random(number)
    case = Case.drawn(draw, runtime)
    alone = case.alone()
    joined, told = case.mid_flight(draw)
    assert joined == alone
    assert told == [hypotheses[0].ids for hypotheses in alone], "streamed, it is the same text"


def test_the_certificate_says_so(bundle_directory):
    result = CliRunner().invoke(verify, [str(bundle_directory)])
    assert result.exit_code == 0, result.output
    assert "the same to the last bit, alone and in any company" in result.stdout
    assert "greedy" in result.stdout


def test_the_certificate_is_refused_where_company_matters(bundle_directory, monkeypatch):
    step = ferryman_server.runtime.decoder.OnnxDecoder.step

    def step_by_company(self, candidates):
        log_probs, ids = step(self, candidates)
        return log_probs - np.float32(2.0**-20) * (len(ids) > 3), ids

    monkeypatch.setattr(ferryman_server.runtime.decoder.OnnxDecoder, "step", step_by_company)
    result = CliRunner().invoke(verify, [str(bundle_directory), "--json"])
    assert result.exit_code == 1
    found = json.loads(result.stdout)
    assert not found["holds"]
    assert {f["search"] for f in found["findings"] if f["differing"]} >= {"greedy", "beam 4"}
