"""The end of a step graph: from logits to what a search asks for.

There are two. The fast one returns the k best candidates of every row, which is all that greedy and
beam search need; the full one returns every log-probability, for whatever needs the distribution.

Dimension key:
    R: hypotheses    V: vocabulary    k: candidates
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ferryman_export.interface import Port
from ferryman_export.operators import top_k
from ferryman_training.decoding import NEVER_GENERATED


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
    """The k likeliest tokens of every row that may come, with their log-probabilities.

    Args:
        vocabulary_size: V.
    """

    never_generated: Tensor
    """Added to logits for ranking: minus infinity where a token must not come, else 0, (V,)."""

    def __init__(self, vocabulary_size: int) -> None:
        super().__init__()
        penalty = torch.zeros(vocabulary_size)
        penalty[list(NEVER_GENERATED)] = float("-inf")
        self.register_buffer("never_generated", penalty)

    def inputs(self) -> list[Port]:
        """How many candidates, k."""
        return [Port("candidates", torch.int64, (1,))]

    def outputs(self) -> list[Port]:
        """Log-probabilities and ids, best first; of equal ones the lower id first."""
        shape = ("hypotheses", "candidates")
        return [
            Port("candidate_log_probs", torch.float32, shape),
            Port("candidate_ids", torch.int64, shape),
        ]

    def forward(self, logits: Tensor, inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Return log-probabilities and ids, (R, k) each.

        The probabilities are those of the model, with the tokens that may not come in the sum.
        Taking the logarithm of the k chosen probabilities instead looks cheaper and is not, and it
        is not the same in any company: ONNX Runtime computes the last few elements of an array by
        another routine, so that a row's place decides its last bit.
        """
        (candidates,) = inputs
        _, ids = top_k(logits + self.never_generated, candidates)
        return torch.log_softmax(logits, dim=-1).gather(1, ids), ids


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
        return (torch.log_softmax(logits, dim=-1),)
