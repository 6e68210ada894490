"""The end of a step graph: from logits to what a search asks for.

There are two. The fast one returns the k best candidates of every row, which is all that greedy and
beam search need; the full one returns every log-probability, for whatever needs the distribution.

Dimension key:
    R: hypotheses    V: vocabulary    k: candidates    J: blocks of the vocabulary    W: of a block
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor, nn

from ferryman_export.interface import Port
from ferryman_export.operators import flatten, smallest_k, top_k
from ferryman_training.decoding import NEVER_GENERATED

_BLOCK_SIZES: Final = (128, 96, 160, 64, 192, 80, 100, 120, 125, 250)
"""Tokens of a block, the best first: finding maxima is then as fast as reading memory."""
_FEWEST_BLOCKS: Final = 16
"""With fewer blocks, choosing among them costs more than it spares."""


def candidate_outputs() -> list[Port]:
    """Declare log-probabilities and ids of every row's candidates, best first."""
    shape = ("hypotheses", "candidates")
    return [
        Port("candidate_log_probs", torch.float32, shape),
        Port("candidate_ids", torch.int64, shape),
    ]


class Tail(nn.Module, ABC):
    """What a step graph does with its logits."""

    @abstractmethod
    def inputs(self) -> list[Port]:
        """Declare what the tail asks of the caller."""

    @abstractmethod
    def outputs(self) -> list[Port]:
        """Declare what it returns."""

    @abstractmethod
    def forward(self, logits: Tensor, inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Return the outputs, in their order.

        Args:
            logits: (R, V).
            inputs: One tensor per declared input.
        """


class CandidateTail(Tail):
    """The k likeliest tokens of every row that may come, with their exact log-probabilities.

    A partial sort of V logits takes as long as the product that they come from, so the search is
    done in two stages: the maximum of every block of the vocabulary, then a sort of the k + 1
    blocks with the greatest. The k likeliest tokens are in there: the tokens that may not come are
    all in one block, so at most one of those maxima is none to go by.

    Args:
        vocabulary_size: V.
    """

    offsets: Tensor
    """Of the tokens in a block, (W,)."""
    never_generated: Tensor
    """Added to logits for ranking: minus infinity where a token must not come, else 0, (V,)."""

    def __init__(self, vocabulary_size: int) -> None:
        super().__init__()
        fitting = [size for size in _BLOCK_SIZES if vocabulary_size % size == 0]
        self._size = fitting[0] if fitting else vocabulary_size
        self._blocks = vocabulary_size // self._size
        assert tuple(range(len(NEVER_GENERATED))) == NEVER_GENERATED, "they come first"
        penalty = torch.zeros(vocabulary_size)
        penalty[list(NEVER_GENERATED)] = float("-inf")
        self.register_buffer("never_generated", penalty)
        self.register_buffer("offsets", torch.arange(self._size))

    def inputs(self) -> list[Port]:
        """How many candidates, k."""
        return [Port("candidates", torch.int64, (1,))]

    def outputs(self) -> list[Port]:
        """Log-probabilities and ids, best first; of equal ones the lower id first."""
        return candidate_outputs()

    def forward(self, logits: Tensor, inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Return log-probabilities and ids, (R, k) each.

        The probabilities are those of the model, with the tokens that may not come in the sum.
        Taking the logarithm of the k chosen probabilities instead looks cheaper and is not, and it
        is not the same in any company: ONNX Runtime computes the last few elements of an array by
        another routine, so that a row's place decides its last bit.
        """
        (candidates,) = inputs
        logits = logits.float()
        if self._blocks >= _FEWEST_BLOCKS:
            ids = self._in_two_stages(logits, candidates)
        else:
            _, ids = top_k(logits + self.never_generated, candidates)
        return torch.log_softmax(logits, dim=-1).gather(1, ids), ids

    def _in_two_stages(self, logits: Tensor, candidates: Tensor) -> Tensor:
        """Return the ids, (R, k)."""
        blocks = logits.reshape(-1, self._blocks, self._size)
        count = torch.clamp(candidates + 1, max=self._blocks)
        _, chosen = top_k(blocks.amax(dim=-1), count)
        # In ascending order, so that among equal logits the lower id is the first.
        chosen, _ = smallest_k(chosen, count)
        chosen = chosen.unsqueeze(-1)  # (R, k + 1, 1)
        # The index of every element is written out: plain indexing becomes a GatherND, which is
        # slower by ten times.
        shortlist = blocks.gather(1, chosen + torch.zeros_like(self.offsets))  # (R, k + 1, W)
        ids = flatten(chosen * self._size + self.offsets)
        may_come = ids >= len(NEVER_GENERATED)
        _, places = top_k(torch.where(may_come, flatten(shortlist), float("-inf")), candidates)
        return ids.gather(1, places)


class FullTail(Tail):
    """The log-probability of every token, those that may not come included.

    Args:
        vocabulary_size: V.
    """

    def __init__(self, vocabulary_size: int) -> None:
        super().__init__()
        self._vocabulary_size = vocabulary_size

    def inputs(self) -> list[Port]:
        """Nothing."""
        return []

    def outputs(self) -> list[Port]:
        """All log-probabilities."""
        return [Port("log_probs", torch.float32, ("hypotheses", self._vocabulary_size))]

    def forward(self, logits: Tensor, inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """(R, V) -> (R, V)."""
        assert not inputs
        return (torch.log_softmax(logits.float(), dim=-1),)
