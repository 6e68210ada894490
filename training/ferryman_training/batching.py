"""From sentence pairs to updates: the plan of an epoch and the batches it names.

The plan depends on the seed and the epoch alone, not on how many processes share the work, so a
run can be resumed anywhere and with another number of processes.

Dimension key:
    B: sentences    S: source tokens    T: target tokens
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor

from ferryman_bundle.tokenizer import BOS, EOS, PAD, Tokenizer
from ferryman_training.augmentation import augment
from ferryman_training.corpus import SentencePair


@dataclass(frozen=True, slots=True)
class TokenPair:
    """One sentence pair as token ids, without start and end."""

    source: tuple[int, ...]
    target: tuple[int, ...]

    @property
    def longest_side(self) -> int:
        """Tokens of the longer side, without start and end."""
        return max(len(self.source), len(self.target))


MicroBatch: TypeAlias = list[TokenPair]
"""Pairs that go through the model together."""


@dataclass(frozen=True, slots=True)
class PlannedUpdate:
    """One update and its place in the run."""

    step: int
    """From 1."""
    epoch: int
    """From 0."""
    number: int
    """Of this update in its epoch, from 1."""
    epoch_updates: int
    """Updates of the epoch."""
    micro_batches: Sequence[MicroBatch]


@dataclass(frozen=True, slots=True)
class Batch:
    """Sentences of like length, padded with PAD."""

    source: Tensor
    """Source tokens and the end of sentence, (B, S)."""
    target_input: Tensor
    """The start of sentence and the target tokens, (B, T)."""
    target_output: Tensor
    """The target tokens and the end of sentence, (B, T)."""

    def to(self, device: torch.device) -> Batch:
        """Return the batch on a device."""
        return Batch(
            self.source.to(device), self.target_input.to(device), self.target_output.to(device)
        )


def tokenize(pair: SentencePair, tokenizer: Tokenizer, *, reserved: bool = False) -> TokenPair:
    """Encode both sides; see `Tokenizer.encode` for `reserved`."""
    return TokenPair(
        tuple(tokenizer.encode(pair.source, reserved=reserved)),
        tuple(tokenizer.encode(pair.target, reserved=reserved)),
    )


def pad(sequences: Sequence[Sequence[int]]) -> Tensor:
    """Return int64 (B, longest), padded with PAD on the right."""
    padded = np.full((len(sequences), max(map(len, sequences))), PAD, dtype=np.int64)
    for row, sequence in zip(padded, sequences, strict=True):
        row[: len(sequence)] = sequence
    return torch.from_numpy(padded)


def collate(pairs: Sequence[TokenPair]) -> Batch:
    """Make one batch of token pairs."""
    return Batch(
        source=pad([(*p.source, EOS) for p in pairs]),
        target_input=pad([(BOS, *p.target) for p in pairs]),
        target_output=pad([(*p.target, EOS) for p in pairs]),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochSampler:
    """Makes the updates of each epoch anew."""

    pairs: Sequence[SentencePair]
    """The corpus as text; augmentation needs it."""
    tokens: Sequence[TokenPair]
    """The corpus as tokens, in the same order."""
    tokenizer: Tokenizer
    batch_tokens: int
    """Size of a micro-batch: sentences times the longest side, with padding."""
    micro_batches: int
    """Micro-batches per update."""
    placeholder_share: float
    max_tokens: int
    """A pair that augmentation would make longer stays as it is."""
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
            updates = self.updates(epoch)
            for index in range(done, min(len(updates), done + steps - step)):
                step += 1
                yield PlannedUpdate(step, epoch, index + 1, len(updates), updates[index])
            epoch, done = epoch + 1, 0

    def updates(self, epoch: int) -> list[list[MicroBatch]]:
        """Return the updates of an epoch, each a list of micro-batches of like size.

        Pairs are sorted by length and cut where the budget of tokens is reached; chance decides
        among pairs of equal length and the order of the updates. Neighbours in the sorted order
        cost the same, so they make one update, and processes that share it finish together.
        """
        chance = random.Random(f"{self.seed}/{epoch}")
        pairs = self._augmented(chance)
        chance.shuffle(pairs)
        pairs.sort(key=lambda pair: (len(pair.target), len(pair.source)))
        batches = list(self._cut(pairs))
        size = self.micro_batches
        updates = [batches[i : i + size] for i in range(0, len(batches), size)]
        chance.shuffle(updates)
        return updates

    def _augmented(self, chance: random.Random) -> list[TokenPair]:
        tokens = list(self.tokens)
        for i, pair in enumerate(self.pairs):
            if chance.random() >= self.placeholder_share:
                continue
            changed = augment(pair, chance)
            if changed is not None:
                new = tokenize(changed, self.tokenizer, reserved=True)
                if new.longest_side <= self.max_tokens:
                    tokens[i] = new
        return tokens

    def _cut(self, pairs: Sequence[TokenPair]) -> Iterator[MicroBatch]:
        batch: MicroBatch = []
        longest = 0
        for pair in pairs:
            side = pair.longest_side + 1  # the start or the end
            if batch and max(longest, side) * (len(batch) + 1) > self.batch_tokens:
                yield batch
                batch, longest = [], 0
            batch.append(pair)
            longest = max(longest, side)
        if batch:
            yield batch
