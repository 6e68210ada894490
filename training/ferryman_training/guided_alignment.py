"""Guided alignment: one head of attention learns to look at what it translates.

Garg et al. 2019, https://arxiv.org/abs/1909.02074, section 4.2; the older idea is from Chen et al.
2016, https://arxiv.org/abs/1607.01628. The links are those that two directions of a word model
agree on, and are made for each batch as it comes: pieces may be cut, and spans replaced, anew in
each epoch. Unlike the papers' best system, a target token is linked before it is known.

Dimension key:
    B: sentences    S: source tokens    T: target tokens    D: width
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass

import numpy as np
import torch
from torch import Tensor

from ferryman_bundle.tokenizer import EOS
from ferryman_training.batching import Batch, TokenPair, collate
from ferryman_training.links import DirectedLinks, Links, WordLinker
from ferryman_training.seq2seq import Seq2Seq
from ferryman_training.transformer import Transformer


def batch_links(linker: WordLinker, batch: Batch) -> DirectedLinks:
    """Link the source to the target tokens that the model is to give, (B, S, T)."""
    source, target = (
        ids.cpu().numpy().astype(np.int32) for ids in (batch.source, batch.target_output)
    )
    return linker.link(source, target)


def alignment_loss(logs: Tensor, links: Tensor) -> Tensor:
    """Return the cross-entropy of attention against links.

    Args:
        logs: Logarithm of the weights, (B, T, S).
        links: True where two tokens are linked, (B, T, S).

    Returns:
        In nats, summed over the target tokens that have links, float32 (); a token that has
        several shares itself out among them.
    """
    shares = links / links.sum(dim=-1, keepdim=True).clamp(min=1)
    # Minus infinity on padding, which no link has, must not meet its zero.
    return -(shares * logs.masked_fill(~links, 0.0)).sum()


class Guide:
    """Adds the loss against word links to the teacher-forced pass of a model.

    Args:
        model: With an aligned head.
        linker: Finds the links.
        weight: Of the loss.
    """

    def __init__(self, model: Transformer, linker: WordLinker, *, weight: float) -> None:
        self._model = model
        self._linker = linker
        self._weight = weight

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return what the output layer reads, (B, T, D), and the weighted loss, float32 ()."""
        links = batch_links(self._linker, batch).intersection.swapaxes(1, 2)
        hidden, logs = self._model.forward_guided(batch.source, batch.target_input)
        loss = alignment_loss(logs, torch.from_numpy(links).to(logs.device))
        return hidden, self._weight * loss


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far what a model looks at agrees with word links, in numbers of links.

    Och and Ney 2003, https://aclanthology.org/J03-1002, section 6: sure links are those of both
    directions, possible ones those that these grow to. Where a model looks most is its link.
    """

    found: int = 0
    """Links of the model."""
    sure: int = 0
    """Sure links."""
    found_sure: int = 0
    """Links of the model that are sure."""
    found_possible: int = 0
    """Links of the model that are possible."""

    def __add__(self, other: Agreement) -> Agreement:
        return Agreement(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))

    @property
    def error_rate(self) -> float:
        """The alignment error rate: 0 for all sure links and none that is not possible, else to 1.

        1 where there is nothing to find.
        """
        every = self.found + self.sure
        return 1 - (self.found_sure + self.found_possible) / every if every else 1.0


def strongest(attention: Tensor, batch: Batch) -> Links:
    """Return where each target token looks most, (B, S, T); a look at the end is none.

    Args:
        attention: Weights, (B, T, S).
        batch: The tokens.
    """
    best = attention.argmax(dim=-1, keepdim=True)
    links = torch.zeros_like(attention, dtype=torch.bool).scatter_(-1, best, value=True)
    links &= (batch.source > EOS)[:, None, :] & (batch.target_output > EOS)[:, :, None]
    return links.transpose(1, 2).cpu().numpy()


@torch.no_grad()
def measure_agreement(
    model: Seq2Seq, tokens: Sequence[TokenPair], linker: WordLinker, *, batch_size: int = 50
) -> Agreement:
    """Compare what a model looks at, teacher-forced, with word links.

    Args:
        model: One with attention, in evaluation mode.
        tokens: Held-out pairs.
        linker: Finds the links.
        batch_size: Sentences at a time, sorted by length.
    """
    device = model.output_weight.device
    ordered = sorted(tokens, key=lambda pair: len(pair.target))
    total = Agreement()
    for start in range(0, len(ordered), batch_size):
        batch = collate(ordered[start : start + batch_size]).to(device)
        attention = model.attention(batch.source, batch.target_input)
        assert attention is not None, "only a model with attention has something to agree"
        found, links = strongest(attention, batch), batch_links(linker, batch)
        sure, possible = links.intersection, links.grown()
        counts = (found, sure, found & sure, found & possible)
        total += Agreement(*(int(np.count_nonzero(part)) for part in counts))
    return total
