"""The section ``[alignment]``: how a head of attention is held to word links."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ferryman_training.config_section import Positive, Section


class AlignmentConfig(Section):
    """Word links, and what they weigh; for models with an ``aligned_head`` only."""

    weight: Annotated[float, Field(gt=0)] = 0.05
    """Of the loss against the links, added to that of the translation."""
    pairs: Positive = 400_000
    """The links are learnt from at most so many pairs, spread evenly over the corpus."""
    passes: Positive = 5
    """Passes of expectation maximisation over them."""
    tension: Annotated[float, Field(ge=0)] = 4.0
    """How strongly links are drawn to the diagonal; 0 is IBM model 1 as it was."""
