"""Scheduled sampling: how often a decoder in training is fed its own prediction.

Bengio et al. 2015, https://arxiv.org/abs/1506.03099, section 2.4: at first every decoder input is
the true token, and the share of the model's own predictions grows with the updates.
"""

from __future__ import annotations

import math

from ferryman_training.optimizer_config import OptimizerConfig


def sampling_share(config: OptimizerConfig, step: int) -> float:
    """Return the probability that a decoder input is the model's own prediction, 1 - e_i there.

    The constants k and c of the paper follow from `config.sampling_halfway`, the update by which
    the share is one half: it is a number of updates in all three decays, and they can be compared.

    Args:
        config: Decay, halfway point and limit.
        step: The update i, from 1.
    """
    halfway = config.sampling_halfway
    match config.sampling:
        case "none":
            return 0.0
        case "linear":
            truth = 1.0 - step / (2 * halfway)
        case "exponential":
            truth = 0.5 ** (step / halfway)
        case "inverse-sigmoid":
            # k / (k + exp(i / k)), written so that the exponential of a long run cannot overflow.
            k = _inverse_sigmoid_constant(halfway)
            truth = 1.0 / (1.0 + math.exp(min(step / k - math.log(k), 700.0)))
    return min(config.sampling_limit, 1.0 - truth)


def _inverse_sigmoid_constant(halfway: int) -> float:
    """Return k with k ln k = halfway, where k / (k + exp(halfway / k)) is one half."""
    k = 1.0 + halfway
    # Newton's method; k ln k is convex, so from above it comes down to the root without a jump.
    while True:
        smaller = k - (k * math.log(k) - halfway) / (math.log(k) + 1)
        if smaller >= k:
            return k
        k = smaller
