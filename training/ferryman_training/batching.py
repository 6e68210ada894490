"""Batches: sentence pairs as token ids, and as the padded tensors that a model reads.

Dimension key:
    B: sentences    S: source tokens    T: target tokens
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor

from ferryman_bundle.tokenizer import BOS, EOS, PAD, Tokenizer
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
