"""The gate: what falls short is refused, or marked for ever."""

from __future__ import annotations

import math

import pytest

from ferryman_bundle.manifest import Parity
from ferryman_export.errors import ExportError
from ferryman_export.gate import excess, judge, measure_loss, shortcomings
from ferryman_export.recipe import FP32, INT8

SENTENCES = [
    f"the {a} {b} of the {c} is not {a} {c}" for a in "pqrst" for b in "uvwxy" for c in "klmno"
]


def parity(agreement=1.0, difference=1e-5):
    return Parity(
        sentences=10,
        steps=1000,
        worst_difference={"memory.0.key": 0.0, "candidate_log_probs": difference},
        argmax_agreement=agreement,
        greedy_identity=1.0,
        accepted_loss=False,
    )


def pass_gate(measured, recipe, *, accept_loss=False):
    return judge(measured, shortcomings(measured, recipe), recipe, accept_loss=accept_loss)


@pytest.mark.parametrize(("agreement", "recipe"), [(1.0, FP32), (0.999, FP32), (0.98, INT8)])
def test_enough_agreement_passes_unmarked(agreement, recipe):
    assert pass_gate(parity(agreement), recipe) == parity(agreement)
    assert pass_gate(parity(agreement), recipe, accept_loss=True) == parity(agreement)


def test_bytes_may_differ_as_much_as_they_like_if_they_agree():
    assert pass_gate(parity(0.99, difference=3.0), INT8) == parity(0.99, difference=3.0)


@pytest.mark.parametrize(
    ("short", "recipe"),
    [
        (parity(agreement=0.9989), FP32),
        (parity(agreement=0.9799), INT8),
        (parity(agreement=math.nan), FP32),
        (parity(difference=math.nan), FP32),
        (parity(difference=math.inf), INT8),
    ],
    ids=["too little", "too little in bytes", "no number", "a NaN", "infinite"],
)
def test_less_is_refused_or_marked(short, recipe):
    with pytest.raises(
        ExportError, match=rf"the variant {recipe.name} is refused: .*--accept-loss"
    ):
        pass_gate(short, recipe)
    assert pass_gate(short, recipe, accept_loss=True).accepted_loss


def harmed(share):
    """The references with a word replaced in every so many."""
    return [
        s.replace(" is not", " has no") if i % share == 0 else s for i, s in enumerate(SENTENCES)
    ]


def test_the_same_translations_lose_nothing():
    loss = measure_loss(SENTENCES, harmed(3), harmed(3), name="fp32")
    assert (loss.baseline, loss.bleu, loss.low, loss.high) == ("fp32", 0.0, 0.0, 0.0)
    assert excess(loss) == []


def test_a_great_and_certain_loss_is_refused():
    loss = measure_loss(SENTENCES, SENTENCES, harmed(2), name="fp32")
    assert loss.low > 0.5
    assert loss.low <= loss.bleu <= loss.high
    (clause,) = excess(loss)
    assert f"it loses {loss.bleu:.2f} BLEU against fp32" in clause
    with pytest.raises(ExportError, match=r"0\.5 are allowed"):
        judge(parity(), [clause], INT8, accept_loss=False)
    assert judge(parity(), [clause], INT8, accept_loss=True).accepted_loss


def test_a_gain_is_no_loss():
    loss = measure_loss(SENTENCES, harmed(2), SENTENCES, name="fp32")
    assert loss.bleu < -0.5
    assert excess(loss) == []


def test_a_loss_that_may_be_chance_or_is_small_passes():
    loss = measure_loss(SENTENCES, SENTENCES, harmed(2), name="fp32")
    assert excess(loss.model_copy(update={"p_value": 0.06})) == []
    assert excess(loss.model_copy(update={"bleu": 0.5})) == []
