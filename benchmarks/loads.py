"""Loads: sentences as engines take them, prepared before any clock runs."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ferryman_bundle import Bundle
from ferryman_quality import read_pairs

Ids = tuple[int, ...]

DEFAULT_BUNDLE: Final = Path("models/en-fr/ferryman_model_en_fr/bundle")
"""The model of the repository, seen from its root."""
RANDOM: Final = "random"
"""Name of bundles whose weights are random numbers."""
FORCED_TOKENS: Final = 32
"""Of every target of such a model, which would never end a sentence."""


@dataclass(frozen=True, slots=True)
class Load:
    """Sentences, how they are searched, and how many are handed over at a time."""

    sources: tuple[Ids, ...]
    """Token ids, without the end of the sentence."""
    pieces: tuple[tuple[str, ...], ...]
    """The same as SentencePiece's pieces, which CTranslate2 looks up itself."""
    beam_size: int
    group: int
    """Sentences of one call; the next one is made when it is answered."""
    target_tokens: int | None
    """What every target is forced to be long; None where the model ends it."""

    @classmethod
    def of(
        cls,
        bundle: Bundle,
        sources: Sequence[Ids],
        *,
        beam_size: int = 1,
        group: int | None = None,
        target_tokens: int | None = None,
    ) -> Load:
        """Look the pieces up.

        Args:
            bundle: Whose vocabulary the ids are of.
            sources: At least one.
            beam_size: 1 is greedy.
            group: None for all at once.
            target_tokens: See the field.
        """
        pieces = tuple(tuple(map(bundle.tokenizer.piece, source)) for source in sources)
        return cls(tuple(sources), pieces, beam_size, group or len(sources), target_tokens)

    @property
    def calls(self) -> list[range]:
        """The places of the sentences of each call."""
        count = len(self.sources)
        return [range(at, min(at + self.group, count)) for at in range(0, count, self.group)]


def read_sources(bundle: Bundle, pairs: Path, count: int) -> list[Ids]:
    """Tokenise sentences of a file that the model can read whole, evenly spread over the file.

    Args:
        bundle: The model.
        pairs: Source TAB target lines.
        count: How many; fewer where the file has fewer.
    """
    encoded = (tuple(bundle.tokenizer.encode(pair.source)) for pair in read_pairs(pairs))
    limit = bundle.manifest.limits.max_source_tokens
    return spread([ids for ids in encoded if 0 < len(ids) <= limit], count)


def spread(sentences: Sequence[Ids], count: int) -> list[Ids]:
    """Return so many sentences at even distances, in order, or all where there are fewer.

    >>> spread([(1,), (2,), (3,), (4,), (5,)], 2)
    [(1,), (3,)]
    """
    count = min(count, len(sentences))
    return [sentences[i * len(sentences) // count] for i in range(count)]


def has_random_weights(bundle: Bundle) -> bool:
    """Tell whether a bundle is one of `benchmarks.base_model`: it can be timed, and no more."""
    return bundle.manifest.name == RANDOM


def forced_tokens(bundle: Bundle) -> int | None:
    """Return how long every target of a model is made; None where the model ends its sentences."""
    return FORCED_TOKENS if has_random_weights(bundle) else None


def as_words_of(bundle: Bundle, sources: Sequence[Ids]) -> list[Ids]:
    """Return as many sentences, as long, in the vocabulary of another model.

    A model with made-up words cannot read text, but it can be given sentences of its lengths.
    """
    size = bundle.manifest.tokens.vocabulary_size
    ids = itertools.cycle(range(size // 2, size))
    return [tuple(next(ids) for _ in source) for source in sources]
