"""Drawing tokens at random, as pure functions of arrays.

A draw depends on the seed, the number of the sample and the place in it, and on nothing else: the
random numbers are counter-based (Philox, Salmon et al. 2011,
https://doi.org/10.1145/2063384.2063405), so no draw has to wait for another, and none is moved by
what else the engine decodes. Ties of probability keep the lower id.

Dimension key:
    k: tokens that may come
"""

from __future__ import annotations

import numpy as np

from ferryman_server.engine.search import Doubles, Ints, best_places
from ferryman_server.engine.search_options import Sampling

_BITS: int = 53
"""Of a float64's mantissa."""


def uniforms(seed: int, sample: int, count: int) -> list[float]:
    """Return the random numbers of one sample, from 0 up to and without 1.

    Args:
        seed: Of the request.
        sample: The number of the sample.
        count: How many. Fewer are the first of more.
    """
    # The raw bits, since what a `Generator` makes of them may change with the version of NumPy.
    raw = np.random.Philox(key=np.array([seed, sample], np.uint64)).random_raw(count)
    numbers: list[float] = ((raw >> np.uint64(64 - _BITS)) * 2.0**-_BITS).tolist()
    return numbers


def filter_tokens(log_probs: Doubles, ids: Ints, sampling: Sampling) -> tuple[Ints, Doubles]:
    """Apply temperature, top-k, top-p and min-p, in this order.

    Args:
        log_probs: Of the tokens that may come, (k), finite; they need not add up to one.
        ids: The tokens, (k), ascending.
        sampling: What to apply.

    Returns:
        The places of the tokens that are left, ascending, and their weights, the largest being 1.

    >>> log_probs = np.log([0.5, 0.3, 0.2])
    >>> filter_tokens(log_probs, np.array([4, 5, 6]), Sampling(seed=0, top_p=0.7))[0].tolist()
    [0, 1]
    """
    scaled = log_probs / sampling.temperature
    places = np.arange(len(ids))
    if 0 < sampling.top_k < len(ids):
        places = best_places(scaled, ids, sampling.top_k)
        places.sort()
    weights = np.exp(scaled[places] - scaled[places].max())
    if sampling.top_p < 1.0:
        kept = _nucleus(weights, sampling.top_p)
        places, weights = places[kept], weights[kept]
    if sampling.min_p > 0.0:
        kept = np.flatnonzero(weights >= sampling.min_p)
        places, weights = places[kept], weights[kept]
    return places, weights


def draw(log_probs: Doubles, ids: Ints, sampling: Sampling, uniform: float) -> int:
    """Draw one token; return its place.

    Args:
        log_probs: As for `filter_tokens`.
        ids: As for `filter_tokens`.
        sampling: How.
        uniform: The random number, from 0 up to and without 1.
    """
    places, weights = filter_tokens(log_probs, ids, sampling)
    sums = np.cumsum(weights)
    chosen = int(np.searchsorted(sums, uniform * sums[-1], side="right"))
    return int(places[min(chosen, len(places) - 1)])


def _nucleus(weights: Doubles, top_p: float) -> Ints:
    """Return the places, ascending, of the fewest weights that make up this share of their sum."""
    total = weights.sum()
    # All that is left out here is less than what the nucleus leaves out, and need not be sorted.
    places = np.flatnonzero(weights * len(weights) >= (1.0 - top_p) * total)
    order = places[np.argsort(-weights[places], kind="stable")]
    enough = int(np.searchsorted(np.cumsum(weights[order]), top_p * total, side="left"))
    kept = order[: enough + 1]
    kept.sort()
    return kept
