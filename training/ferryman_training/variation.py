"""Variation: pairs that an epoch sees in other tokens than the corpus has, each epoch anew.

Two things vary. Placeholders take the place of spans that both sides share (`augmentation`), and
text is cut into pieces at random: subword regularisation with a unigram vocabulary (Kudo 2018,
https://arxiv.org/abs/1804.10959, section 3, the sum over all segmentations) and BPE-dropout with a
BPE one (Provilkov et al. 2020, https://arxiv.org/abs/1910.13267). Both are SentencePiece's.
Which pair becomes what depends on the seed, the epoch and the pair, on nothing before it.
"""

from __future__ import annotations

import hashlib
import random
import struct
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import sentencepiece

from ferryman_bundle.tokenizer import Tokenizer
from ferryman_training.augmentation import augment
from ferryman_training.batching import TokenPair, tokenize
from ferryman_training.corpus import SentencePair
from ferryman_training.errors import CorpusError
from ferryman_training.mapped import ArrayWriter, mapped
from ferryman_training.text_store import TextStore
from ferryman_training.token_store import id_type


@dataclass(frozen=True, slots=True)
class VariedPairs:
    """The pairs of an epoch that vary, K of them, by the place at which the epoch draws them."""

    places: npt.NDArray[np.int64]
    """Rising, (K)."""
    ids: npt.NDArray[np.unsignedinteger[Any]]
    """Source and target of the first one, of the second and so on."""
    starts: npt.NDArray[np.int64]
    """Where the ids of each begin and those of the last one end, (K + 1)."""
    source_lengths: npt.NDArray[np.uint16]
    """(K)"""

    @property
    def target_lengths(self) -> npt.NDArray[np.uint16]:
        """Tokens of each target, (K)."""
        return (np.diff(self.starts) - self.source_lengths).astype(np.uint16)

    def find(self, place: int) -> TokenPair | None:
        """Return what stands at a place, or None where nothing varies."""
        k = int(np.searchsorted(self.places, place))
        if k == len(self.places) or self.places[k] != place:
            return None
        ids = self.ids[self.starts[k] : self.starts[k + 1]].tolist()
        middle = int(self.source_lengths[k])
        return TokenPair(tuple(ids[:middle]), tuple(ids[middle:]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Variation:
    """How the pairs of a corpus vary."""

    texts: TextStore
    tokenizer: Tokenizer
    placeholder_share: float
    """Of the pairs, about; those without shared spans stay as they are."""
    sampling: float
    """Of segmentations: alpha or dropout; 0 for the likeliest pieces."""
    max_tokens: int
    """A pair that would become longer stays as it is."""
    seed: int
    scratch: Path
    """Folder on a disk with room for the varied pairs of an epoch."""

    @property
    def varies(self) -> bool:
        """False where every epoch sees the corpus as it is."""
        return self.placeholder_share > 0 or self.sampling > 0

    def of_epoch(self, epoch: int, rows: npt.NDArray[np.int64]) -> VariedPairs:
        """Return the varied pairs of an epoch.

        They lie in files without a name, which end with the process.

        Args:
            epoch: From 0.
            rows: Of the text, in the order of the epoch's draws; a row may come again.

        Raises:
            CorpusError: The scratch folder cannot be written.
        """
        try:
            with ExitStack() as stack:
                files = [
                    stack.enter_context(tempfile.TemporaryFile(dir=self.scratch)) for _ in range(4)
                ]
                types: list[npt.DTypeLike] = [
                    np.int64, id_type(self.tokenizer), np.int64, np.uint16
                ]  # fmt: skip
                places, ids, starts, lengths = (
                    stack.enter_context(ArrayWriter(file, dtype))
                    for file, dtype in zip(files, types, strict=True)
                )
                end = 0
                starts.append(0)
                for place, pair in self._pairs(epoch, rows):
                    places.append(place)
                    ids.extend(pair.source)
                    ids.extend(pair.target)
                    end += len(pair.source) + len(pair.target)
                    starts.append(end)
                    lengths.append(len(pair.source))
                for writer in (places, ids, starts, lengths):
                    writer.flush()
                return VariedPairs(
                    *(mapped(file, dtype) for file, dtype in zip(files, types, strict=True))
                )
        except OSError as error:
            raise CorpusError(
                f"{self.scratch}: an epoch's tokens cannot be written ({error.strerror})"
            ) from error

    def _pairs(self, epoch: int, rows: npt.NDArray[np.int64]) -> Iterator[tuple[int, TokenPair]]:
        """Yield the pairs that vary, with their places in the draws."""
        lots = np.random.default_rng(seed_of(self.seed, epoch))
        augmented = lots.random(len(rows), dtype=np.float32) < self.placeholder_share
        places = np.arange(len(rows)) if self.sampling else np.flatnonzero(augmented)
        for place in places:
            chance = random.Random(seed_of(self.seed, epoch, int(place)))
            text = self.texts.pair(int(rows[place]))
            changed = augment(text, chance) if augmented[place] else None
            if changed is None and not self.sampling:
                continue
            pair = self._tokenize(changed or text, chance, reserved=changed is not None)
            if pair.source and pair.target and pair.longest_side <= self.max_tokens:
                yield int(place), pair

    def _tokenize(self, pair: SentencePair, chance: random.Random, *, reserved: bool) -> TokenPair:
        if not self.sampling:
            return tokenize(pair, self.tokenizer, reserved=reserved)
        sentencepiece.set_random_generator_seed(chance.getrandbits(32))
        return TokenPair(
            tuple(self.tokenizer.sample(pair.source, self.sampling, reserved=reserved)),
            tuple(self.tokenizer.sample(pair.target, self.sampling, reserved=reserved)),
        )


def seed_of(*parts: int) -> int:
    """Return 64 bits that depend on every part."""
    packed = struct.pack(f"<{len(parts)}Q", *(part % 2**64 for part in parts))
    return int.from_bytes(hashlib.blake2b(packed, digest_size=8).digest(), "little")
