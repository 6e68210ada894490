"""The sampler: the updates of a run, epoch after epoch, from wherever it stands.

The plan depends on the seed and the epoch alone, not on how many processes share the work, so a
run can be resumed anywhere and with another number of processes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ferryman_training.batching import PlannedUpdate
from ferryman_training.epoch import EpochPlan, draw
from ferryman_training.token_store import TokenStore
from ferryman_training.variation import Variation, seed_of


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochSampler:
    """Makes the updates of each epoch anew."""

    tokens: TokenStore
    weights: tuple[float, ...]
    """Of the parts of the corpus."""
    variation: Variation | None
    """How pairs vary; None where every epoch sees the corpus as it is."""
    batch_tokens: int
    """Size of a micro-batch: sentences times the longest side, with padding."""
    micro_batches: int
    """Micro-batches per update."""
    seed: int

    def plan(self, *, step: int, epoch: int, done: int, steps: int) -> Iterator[PlannedUpdate]:
        """Yield the updates of a run, epoch after epoch, from where it stands.

        Args:
            step: Updates done in the whole run.
            epoch: The epoch of the last of them, from 0.
            done: Updates done in that epoch.
            steps: Updates of the whole run.
        """
        while step < steps:
            plan = self.epoch(epoch)
            for index in range(done, min(len(plan), done + steps - step)):
                step += 1
                yield PlannedUpdate(step, epoch, index + 1, len(plan), plan.update(index))
            epoch, done = epoch + 1, 0

    def epoch(self, epoch: int) -> EpochPlan:
        """Return the plan of an epoch."""
        chance = np.random.default_rng(seed_of(self.seed, epoch, -1))
        draws = draw(self.tokens.part_ends, self.weights, chance)
        varied = None
        if self.variation is not None:
            varied = self.variation.of_epoch(epoch, self.tokens.rows[draws])
        return EpochPlan.make(
            self.tokens,
            draws,
            varied,
            batch_tokens=self.batch_tokens,
            micro_batches=self.micro_batches,
            chance=chance,
        )

    @property
    def target_tokens(self) -> int:
        """Target tokens of an epoch without variation, ends included, about where weights are."""
        total, start = 0.0, 0
        for end, weight in zip(self.tokens.part_ends, self.weights, strict=True):
            tokens = int(self.tokens.target_lengths[start:end].sum(dtype=np.int64)) + end - start
            total += weight * tokens
            start = end
        return round(total)
