"""The engine with its state on a GPU: what it answers, and what it may hold."""

from __future__ import annotations

import numpy as np
import pytest
from typer.testing import CliRunner

from ferryman_bundle import Bundle
from ferryman_export.commands.export import app
from ferryman_server.engine import Engine, Job, Search
from ferryman_server.runtime import OnnxRuntime
from ferryman_server.runtime.cuda import cuda_fault

pytestmark = pytest.mark.gpu
PATIENCE = 120
"""Seconds."""
LEAST_IDENTICAL = 0.7
"""Of greedy answers of a model of random weights: its tokens are nearly as likely as each other."""


@pytest.fixture(scope="module")
def halves(checkpoint, tmp_path_factory):
    if (fault := cuda_fault()) is not None:
        pytest.skip(fault)
    directory = tmp_path_factory.mktemp("bundles") / "halves"
    arguments = [checkpoint, directory, "--sentence-count", 24, "--test-count", 0]
    arguments += ["--variant", "fp32", "--variant", "fp16"]
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return Bundle.load(directory)


@pytest.fixture
def jobs(halves, draw):
    words = range(4, halves.manifest.tokens.vocabulary_size)
    sources = [tuple(draw.choice(words, min(n, 60)).tolist()) for n in draw.geometric(1 / 12, 64)]
    return [Job(source=source, search=Search(max_tokens=16)) for source in sources]


def answers(runtime, jobs, **settings):
    with Engine(runtime, **settings) as engine:
        return [future.result(PATIENCE).hypotheses[0].ids for future in engine.submit(jobs)]


def test_answers_on_the_gpu_are_mostly_those_of_the_processor(halves, jobs):
    on_gpu = answers(OnnxRuntime(halves, device="cuda", variant="fp16"), jobs)
    expected = answers(OnnxRuntime(halves, variant="fp32"), jobs)
    identical = np.mean([a == b for a, b in zip(on_gpu, expected, strict=True)])
    assert identical >= LEAST_IDENTICAL, f"identical: {identical:.1%}"


@pytest.mark.parametrize("width", [1, 4])
def test_every_job_is_answered_in_a_batch_that_is_always_full(halves, jobs, width):
    search = Search(beam_size=width, max_tokens=16)
    wide = [Job(source=job.source, search=search) for job in jobs]
    runtime = OnnxRuntime(halves, device="cuda", variant="fp16")
    assert len(answers(runtime, wide, max_rows=8 * width, max_lanes=1)) == len(jobs)


def test_state_has_fixed_memory(halves):
    runtime = OnnxRuntime(halves, device="cuda", variant="fp16")
    state = runtime.decoder(width=1, max_sources=8).state
    assert state.nbytes == runtime.state_bytes(width=1, max_sources=8) > 0
