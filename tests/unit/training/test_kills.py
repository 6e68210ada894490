"""SIGKILL at any moment, then the same command: the same bits as without it, in both families."""

from __future__ import annotations

from pathlib import Path

import pytest
from kills import count_moments, killed_at
from whole_runs import changed, differences, run

FAMILIES = {
    "transformer": {},
    "recurrent": {
        "model": {
            "family": "recurrent", "cell": "lstm", "width": 16, "attention": "bahdanau",
            "encoder_layers": 1, "decoder_layers": 1,
        },
        "optimizer": {"truncate_targets": 3, "sampling": "linear", "sampling_halfway": 10},
    },
}  # fmt: skip

SAMPLE = 6
"""Moments, spread over a run, that are tried where time is short; under `-m deep` it is all."""


@pytest.fixture(scope="module", params=FAMILIES)
def config(request, pristine_document):
    return changed(pristine_document, **FAMILIES[request.param])


@pytest.fixture(scope="module")
def whole(config, tmp_path_factory) -> tuple[Path, int]:
    """A run without a stop, and how many moments it has."""
    directory = tmp_path_factory.mktemp("whole")
    moments = count_moments(lambda: run(config, directory))
    assert moments > 60  # four checkpoints, each of many files
    return directory, moments


def check(config, whole: Path, directory: Path, moment: int) -> bool:
    """Kill a run, go on with it and compare; return whether it was not over before."""
    killed = killed_at(moment, lambda: run(config, directory))
    again = run(config, directory)
    assert (again.step, again.finished) == (12, True)
    assert differences(whole, directory) == [], moment
    assert not list(directory.rglob("*.partial"))
    assert not list(directory.rglob("*.discarded"))
    return killed


@pytest.mark.slow
def test_a_run_that_is_killed_at_some_moments_comes_to_the_same_bits(config, whole, tmp_path):
    directory, moments = whole
    for part in range(SAMPLE):
        moment = 1 + part * (moments - 10) // (SAMPLE - 1)
        assert check(config, directory, tmp_path / str(moment), moment)


@pytest.mark.deep
@pytest.mark.timeout(3600)
def test_a_run_that_is_killed_at_any_moment_comes_to_the_same_bits(config, whole, tmp_path):
    directory, moments = whole
    assert 0.9 * moments < sum(
        check(config, directory, tmp_path / str(moment), moment)
        for moment in range(1, moments + 10)
    )
