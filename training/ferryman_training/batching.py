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


@dataclass(frozen=True, slots=True)
class Batch:
    """Sentences of like length, padded with PAD."""

    source: Tensor
    """Source tokens and the end of sentence, (B, S)."""
    target_input: Tensor
    """The start of sentence and the target tokens, (B, T)."""
    target_output: Tensor
    """The target tokens and the end of sentence, (B, T)."""

    @property
    def target_tokens(self) -> int:
        """Target tokens that count, ends included and padding not."""
        return int((self.target_output != PAD).sum())


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


@dataclass(frozen=True, slots=True)
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
    seed: int

    def updates(self, epoch: int) -> list[list[list[TokenPair]]]:
        """Return the updates of an epoch, each a list of micro-batches of like size.

        Pairs are sorted by length, with some noise so that a sentence meets other company every
        epoch, and cut where the budget of tokens is reached. Neighbours in that order have the
        same cost, so they make one update and processes that share it finish together.
        """
        source_of_chance = random.Random(f"{self.seed}/{epoch}")
        pairs = self._augmented(source_of_chance)
        keys = [
            (len(p.target) + source_of_chance.random(), len(p.source) + source_of_chance.random())
            for p in pairs
        ]
        order = sorted(range(len(pairs)), key=lambda i: (int(keys[i][0]), keys[i][1]))
        batches = list(self._cut([pairs[i] for i in order]))
        size = self.micro_batches
        updates = [batches[i : i + size] for i in range(0, len(batches), size)]
        source_of_chance.shuffle(updates)
        return updates

    def _augmented(self, source_of_chance: random.Random) -> list[TokenPair]:
        tokens = list(self.tokens)
        for i, pair in enumerate(self.pairs):
            if source_of_chance.random() >= self.placeholder_share:
                continue
            changed = augment(pair, source_of_chance)
            if changed is not None:
                new = tokenize(changed, self.tokenizer, reserved=True)
                if max(len(new.source), len(new.target)) <= self.max_tokens:
                    tokens[i] = new
        return tokens

    def _cut(self, pairs: Sequence[TokenPair]) -> Iterator[list[TokenPair]]:
        batch: list[TokenPair] = []
        longest = 0
        for pair in pairs:
            side = max(len(pair.source), len(pair.target)) + 1
            if batch and max(longest, side) * (len(batch) + 1) > self.batch_tokens:
                yield batch
                batch, longest = [], 0
            batch.append(pair)
            longest = max(longest, side)
        if batch:
            yield batch
