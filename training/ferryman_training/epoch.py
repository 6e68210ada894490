"""The plan of an epoch: which pairs it draws, in which batches, in which order.

All of it depends on the seed and the epoch alone, and is made in arrays: a plan of ten million
pairs takes seconds, and memory for some numbers a pair.

Dimension key:
    N: pairs of the corpus    M: draws of the epoch    K: batches of the epoch
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np
import numpy.typing as npt

from ferryman_training.batching import MicroBatch, TokenPair
from ferryman_training.token_store import TokenStore
from ferryman_training.variation import VariedPairs


def draw(
    part_ends: Sequence[int], weights: Sequence[float], chance: np.random.Generator
) -> npt.NDArray[np.int64]:
    """Return the pairs of an epoch, (M): of each part as many times all as its weight has ones.

    What is left of a weight is a share of the part's pairs, drawn without repeats. A part that has
    pairs gives at least one.

    Args:
        part_ends: The pair after the last one of each part, in the order of the corpus.
        weights: Of each part.
        chance: Decides the shares.

    >>> draw([2, 3], [2.0, 1.0], np.random.default_rng(1)).tolist()
    [0, 1, 0, 1, 2]
    """
    drawn, start = [], 0
    for end, weight in zip(part_ends, weights, strict=True):
        whole, share = divmod(weight, 1.0)
        drawn += [np.arange(start, end)] * int(whole)
        some = round(share * (end - start))
        if not whole:
            some = max(1, some)  # or an epoch of little else would be empty
        drawn.append(start + np.sort(chance.permutation(end - start)[:some]))
        start = end
    return np.concatenate(drawn)


def cut(longest: npt.NDArray[np.uint16], budget: int) -> npt.NDArray[np.int64]:
    """Cut pairs into batches of no more than so many tokens, padding included.

    Args:
        longest: Longer side of each pair, with its start or end, in the order of the cut, (M).
        budget: Greatest product of pairs and longest side; a pair that is longer is alone.

    Returns:
        Where each batch begins and the last one ends, (K + 1).
    """
    bounds = [0]
    while bounds[-1] < len(longest):
        start = bounds[-1]
        most = max(1, budget // int(longest[start]))
        window = longest[start : start + most].astype(np.int64)
        sizes = np.maximum.accumulate(window) * np.arange(1, len(window) + 1)
        bounds.append(start + max(1, int(np.searchsorted(sizes, budget, side="right"))))
    return np.array(bounds)


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochPlan:
    """The updates of one epoch, by number."""

    tokens: TokenStore
    varied: VariedPairs | None
    """What is seen in other tokens than the corpus has."""
    draws: npt.NDArray[np.int64]
    """Pairs of the epoch, (M)."""
    order: npt.NDArray[np.int64]
    """Places in `draws`, from the shortest pair to the longest, (M)."""
    bounds: npt.NDArray[np.int64]
    """Where each batch begins in `order` and the last one ends, (K + 1)."""
    updates: npt.NDArray[np.int64]
    """The first batch of each update, in the order of the epoch."""
    micro_batches: int
    """Batches of an update; that with the longest pairs may have fewer."""

    @classmethod
    def make(
        cls,
        tokens: TokenStore,
        draws: npt.NDArray[np.int64],
        varied: VariedPairs | None,
        *,
        batch_tokens: int,
        micro_batches: int,
        chance: np.random.Generator,
    ) -> EpochPlan:
        """Plan an epoch.

        Pairs are sorted by length and cut where the budget of tokens is reached; chance decides
        among pairs of equal length and the order of the updates. Neighbours in the sorted order
        cost the same, so they make one update, and processes that share it finish together.

        Args:
            tokens: The corpus.
            draws: The pairs of the epoch, (M).
            varied: What of them is seen in other tokens.
            batch_tokens: Size of a micro-batch: sentences times the longest side, with padding.
            micro_batches: Micro-batches of an update.
            chance: Decides.
        """
        source, target = tokens.source_lengths[draws], tokens.target_lengths[draws]
        if varied is not None:
            source[varied.places] = varied.source_lengths
            target[varied.places] = varied.target_lengths
        order = chance.permutation(len(draws))
        key = target.astype(np.uint32) << np.uint32(16) | source
        order = order[np.argsort(key[order], kind="stable")]
        bounds = cut(np.maximum(source, target)[order] + 1, batch_tokens)
        firsts = np.arange(0, len(bounds) - 1, micro_batches)
        return cls(
            tokens=tokens,
            varied=varied,
            draws=draws,
            order=order,
            bounds=bounds,
            updates=chance.permutation(firsts),
            micro_batches=micro_batches,
        )

    def __len__(self) -> int:
        return len(self.updates)

    def update(self, index: int) -> PlannedBatches:
        """Return the micro-batches of the update of that number, from 0."""
        first = int(self.updates[index])
        last = min(first + self.micro_batches, len(self.bounds) - 1)
        return PlannedBatches(self, range(first, last))

    def batch(self, number: int) -> MicroBatch:
        """Return the pairs of a batch."""
        return [
            self._pair(p) for p in self.order[slice(*self.bounds[number : number + 2])].tolist()
        ]

    def _pair(self, place: int) -> TokenPair:
        varied = self.varied.find(place) if self.varied is not None else None
        return varied or self.tokens[int(self.draws[place])]


@dataclass(frozen=True, slots=True)
class PlannedBatches(Sequence[MicroBatch]):
    """The micro-batches of an update, read when they are asked for.

    Each of several processes asks for its own only.
    """

    plan: EpochPlan
    numbers: range

    def __len__(self) -> int:
        return len(self.numbers)

    @overload
    def __getitem__(self, index: int) -> MicroBatch: ...
    @overload
    def __getitem__(self, index: slice) -> list[MicroBatch]: ...
    def __getitem__(self, index: int | slice) -> MicroBatch | list[MicroBatch]:
        if isinstance(index, slice):
            return [self.plan.batch(number) for number in self.numbers[index]]
        return self.plan.batch(self.numbers[index])

    def __iter__(self) -> Iterator[MicroBatch]:
        return map(self.plan.batch, self.numbers)
