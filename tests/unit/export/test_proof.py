"""The gate: what agrees too little is refused, or marked for ever."""

from __future__ import annotations

import math

import pytest

from ferryman_bundle.manifest import Parity
from ferryman_export.errors import ExportError
from ferryman_export.precision import Precision
from ferryman_export.proof import Evidence, require_agreement

STRICT = Evidence(parity=[])
LENIENT = Evidence(parity=[], accept_loss=True)


def parity(agreement=1.0, difference=1e-5):
    return Parity(
        sentences=10,
        steps=1000,
        worst_difference={"memory.0.key": 0.0, "candidate_log_probs": difference},
        argmax_agreement=agreement,
        greedy_identity=1.0,
        accepted_loss=False,
    )


@pytest.mark.parametrize("agreement", [1.0, 0.999])
def test_enough_agreement_passes_unmarked(agreement):
    assert require_agreement(parity(agreement), Precision.FP32, STRICT) == parity(agreement)
    assert require_agreement(parity(agreement), Precision.FP32, LENIENT) == parity(agreement)


@pytest.mark.parametrize(
    "short",
    [
        parity(agreement=0.9989),
        parity(agreement=math.nan),
        parity(difference=math.nan),
        parity(difference=math.inf),
    ],
    ids=["too little", "no number", "a NaN", "infinite"],
)
def test_less_is_refused_or_marked(short):
    with pytest.raises(ExportError, match=r"99\.9% are required\. --accept-loss"):
        require_agreement(short, Precision.FP32, STRICT)
    assert require_agreement(short, Precision.FP32, LENIENT).accepted_loss
