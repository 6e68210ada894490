"""What each piece of a translation looked at, as a value."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True, eq=False)
class AttentionMap:
    """Attention of a translation, teacher-forced. S source pieces, T target pieces."""

    source: tuple[str, ...]
    """Source pieces, the end of the sentence included, (S,)."""
    target: tuple[str, ...]
    """Target pieces, the end included, (T,)."""
    weights: npt.NDArray[np.float32]
    """(T, S): how much of what made a target piece came from each source piece; rows sum to 1."""
