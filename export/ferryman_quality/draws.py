"""What chance does to a test set: sentences drawn anew, and translations exchanged.

Both draw what sacreBLEU draws from the same seed, but in parts, so that memory stays flat.

Dimension key:
    N: sentences    M: draws at a time
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
import numpy.typing as npt

from ferryman_quality.segments import Floats

SEED: Final = 12345
"""sacreBLEU's."""
_ENTRIES_AT_A_TIME: Final = 1 << 22
"""32 MiB of float64."""
_BITS_AT_A_TIME: Final = 32
"""numpy draws bits by the word and throws the rest of the last one away."""


def resampled(sentences: int, *, samples: int, seed: int) -> Iterator[Floats]:
    """Yield how often each sentence is in each of the test sets drawn with replacement, (M, N)."""
    draw = np.random.default_rng(seed)
    for size in _sizes(sentences, samples):
        counts = np.zeros(size)
        drawn = draw.choice(sentences, size=size, replace=True)
        np.add.at(counts, (np.arange(size[0])[:, None], drawn), 1.0)
        yield counts


def exchanged(sentences: int, *, trials: int, seed: int) -> Iterator[npt.NDArray[np.bool_]]:
    """Yield the sentences whose translations change sides, each with probability 1/2, (M, N)."""
    draw = np.random.default_rng(seed)
    for size in _sizes(sentences, trials):
        yield ~draw.integers(2, size=size, dtype=bool)


def _sizes(sentences: int, draws: int) -> Iterator[tuple[int, int]]:
    """Yield the shapes of the parts, all but the last of them whole numbers of words of bits."""
    words = max(1, _ENTRIES_AT_A_TIME // (sentences * _BITS_AT_A_TIME))
    for start in range(0, draws, words * _BITS_AT_A_TIME):
        yield min(words * _BITS_AT_A_TIME, draws - start), sentences
