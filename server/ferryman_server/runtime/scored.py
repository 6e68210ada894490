"""A given translation as a model sees it.

Dimension key:
    S: source tokens with the end    T: target tokens with the end
"""

from __future__ import annotations

from dataclasses import dataclass

from ferryman_server.engine.search import Floats


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """One translation as the model sees it."""

    token_log_probs: Floats
    """Log-probability of each token after those before it, in nats; the end is the last, (T,)."""
    attention: Floats | None
    """What each of them looked at, (T, S), rows summing to 1; None of a model without attention."""
