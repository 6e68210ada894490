"""Every family in every variant computes what the model in torch computes.

The same measurement as `python -m benchmarks.parity`, which prints it as a table. The quick run has
one family, which no other test here has; the deep one has all of them.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from ferryman_export.parity import Comparison, compare_teacher_forced
from ferryman_export.projection import FloatProjections
from ferryman_export.recipe import FP16, FP32
from ferryman_export.runner import GraphRunner
from ferryman_export.variants import lower_variant, weight_store
from ferryman_training.corpus import read_pairs

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT))
from benchmarks.parity import SAMPLE, as_json, as_markdown, as_table  # noqa: E402
from benchmarks.parity_measurement import EXACT, RECIPES, measure  # noqa: E402
from benchmarks.parity_models import FAMILIES, untrained  # noqa: E402

SENTENCES = 12
ROUNDED = 0.5
"""Largest difference of a log-probability in bytes or halves, of models of random weights. It only
tells rounding from a fault, which moves them by whole units."""
LEAST_AGREEMENT = 0.85
"""Of the same, whose tokens are nearly as likely as each other."""
HALVES = 0.02
"""Largest difference in float16: eleven bits, through four layers."""


@pytest.fixture(scope="module")
def pairs():
    return read_pairs(SAMPLE)


def check(findings):
    for finding in findings:
        assert not finding.fault, f"{finding.model}, {finding.variant}: {finding.fault}"
        assert not finding.refused
        worst = finding.worst_difference
        assert finding.steps > 10 * SENTENCES
        assert {"candidate_log_probs", "log_probs", "token_log_probs"} <= worst.keys()
        if finding.variant in ("fp32", "portable"):
            assert max(worst.values()) < EXACT
            assert finding.greedy_identity == 1.0
        else:
            assert worst["log_probs"] < (HALVES if finding.variant == "fp16" else ROUNDED)
            assert finding.argmax_agreement > LEAST_AGREEMENT


def test_a_family_equals_the_model_and_the_table_says_so(pairs, seed):
    subject = untrained("rnn-none, one way", pairs, count=SENTENCES, seed=seed)
    findings = list(measure(subject, [FP32]))
    check(findings)
    (told,) = json.loads(as_json(findings))
    assert told["worst_difference"].keys() == findings[0].worst_difference.keys()
    assert "| rnn-none, one way | fp32 | " in as_markdown(findings)
    assert as_table(findings).row_count == 1


@pytest.mark.deep
@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_in_every_variant_equals_the_model(pairs, seed, family):
    subject = untrained(family, pairs, count=SENTENCES, seed=seed)
    findings = list(measure(subject, list(RECIPES.values())))
    assert len(findings) == len(RECIPES)
    check(findings)


def test_a_fault_is_told_and_fails_the_command(pairs, seed, monkeypatch):
    """A step that is off by a thousandth."""
    subject = untrained("rnn-none, one way", pairs, count=4, seed=seed)
    step = GraphRunner.step

    def shifted(self, *args, **kwargs):
        log_probs, best, state = step(self, *args, **kwargs)
        return log_probs + np.float32(1e-3), best, state

    monkeypatch.setattr(GraphRunner, "step", shifted)
    (finding,) = measure(subject, [FP32])
    assert finding.fault == "a tensor differs by 1.0e-03, and 1e-04 are allowed"


@pytest.mark.gpu
@pytest.mark.parametrize("family", ["transformer", "lstm-luong"])
def test_halves_on_cuda_equal_the_model(pairs, seed, family):
    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        pytest.skip("this ONNX Runtime has no CUDA provider: install onnxruntime-gpu")
    subject = untrained(family, pairs, count=SENTENCES, seed=seed)
    store = weight_store(subject.model)
    lowered = lower_variant(subject.model, FP16, FloatProjections(), store)
    comparison = Comparison()
    runner = GraphRunner(lowered, provider="CUDAExecutionProvider")
    compare_teacher_forced(subject.model, runner, subject.compared, comparison)
    assert comparison.worst["log_probs"] < HALVES
    assert comparison.agreed / comparison.steps > LEAST_AGREEMENT
