"""An estimate of the quality of a translation, from 0 to 1, without a reference.

It is chrF / 100 as a logistic function of the mean log-probability of a token predicts it. The two
coefficients were fitted by least squares to 600 sentences of the validation part of the default
model's corpus (en-fr 1.1.0, int8, beam 4). Over 600 others its correlation with the chrF of a
sentence is 0.60 (Pearson; Spearman 0.58), and it is off by 0.11 in the mean. A model of another
kind has another scale, so its figures order its own translations and no more.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import Final

from ferryman_server.suspicion.signals import WORTH_ANOTHER_TRY, Doubt

_OFFSET: Final = 1.93
_SLOPE: Final = 3.54
_DOUBTED: Final = 0.5
"""What is left of the estimate where a translation looks wrong: the model may be sure of itself."""


def estimate_quality(token_log_probs: Sequence[float], doubts: Collection[Doubt] = ()) -> float:
    """Return the estimated quality of a sentence, from 0 to 1.

    Args:
        token_log_probs: Of each token of its translation, and of its end.
        doubts: What looks wrong about it.
    """
    if not token_log_probs:
        return 1.0
    mean = math.fsum(token_log_probs) / len(token_log_probs)
    estimate = 1.0 / (1.0 + math.exp(-(_OFFSET + _SLOPE * mean)))
    return estimate * (_DOUBTED if WORTH_ANOTHER_TRY.intersection(doubts) else 1.0)
