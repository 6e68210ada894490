"""The end of every step graph: from logits to the candidates that a search chooses from.

Dimension key:
    R: hypotheses    V: vocabulary    k: candidates    J: blocks of the vocabulary    W: of a block
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from ferryman_export.operators import smallest_k, top_k

_BLOCK_SIZES: Final = (128, 96, 160, 64, 192, 80, 100, 120, 125, 250)
"""Tokens of a block, the best first: finding maxima is then as fast as reading memory."""
_FEWEST_BLOCKS: Final = 16
"""With fewer blocks than this, choosing among them costs more than it spares."""


class CandidateTail(nn.Module):
    """The k likeliest tokens of every row, with their exact log-probabilities.

    A search of the whole vocabulary is done in two stages, since a partial sort of V logits takes
    as long as their product: the maximum of every block, then a sort of the k + 1 blocks with the
    greatest. The k likeliest tokens are in there: of the k + 1 greatest maxima, one at most is
    that of a token which must not come.

    Args:
        vocabulary_size: V.
        never_generated: Tokens that must not come, fewer than a block, all in one block.
    """

    penalty: Tensor
    """Added to logits for ranking: minus infinity where a token must not come, else 0, (V,)."""
    offsets: Tensor
    """Of the tokens in a block, (W,)."""

    def __init__(self, vocabulary_size: int, never_generated: Sequence[int]) -> None:
        super().__init__()
        penalty = torch.zeros(vocabulary_size)
        penalty[list(never_generated)] = float("-inf")
        fitting = [size for size in _BLOCK_SIZES if vocabulary_size % size == 0]
        self._size = fitting[0] if fitting else vocabulary_size
        self._blocks = vocabulary_size // self._size
        self.register_buffer("penalty", penalty)
        self.register_buffer("offsets", torch.arange(self._size))

    def forward(self, logits: Tensor, candidates: Tensor) -> tuple[Tensor, Tensor]:
        """Return log-probabilities and ids, best first and among equals the lower id first, (R, k).

        The probabilities are those of the model, with the tokens that must not come in the sum.
        Taking the logarithm of the k chosen probabilities instead looks cheaper and is not, and it
        is not the same in any company: ONNX Runtime computes the last few elements of an array by
        another routine, so that a row's place decides its last bit.

        Args:
            logits: (R, V).
            candidates: k, int64 (1,).
        """
        if self._blocks >= _FEWEST_BLOCKS:
            ids = self._in_two_stages(logits, candidates)
        else:
            _, ids = top_k(logits + self.penalty, candidates)
        return torch.log_softmax(logits, dim=-1).gather(1, ids), ids

    def _in_two_stages(self, logits: Tensor, candidates: Tensor) -> Tensor:
        """Return the ids, (R, k)."""
        greatest = logits.reshape(-1, self._blocks, self._size).amax(dim=-1)  # (R, J)
        count = torch.clamp(candidates + 1, max=self._blocks)
        _, chosen = top_k(greatest, count)
        # In ascending order, so that among equal logits the lower id is the first.
        chosen, _ = smallest_k(chosen, count)  # (R, k + 1)
        rows = torch.arange(logits.shape[0]).unsqueeze(1) * self._blocks + chosen
        shortlist = functional.embedding(rows, logits.reshape(-1, self._size))  # (R, k + 1, W)
        ids = (chosen.unsqueeze(-1) * self._size + self.offsets).flatten(1)
        _, places = top_k(shortlist.flatten(1) + self.penalty[ids], candidates)
        return ids.gather(1, places)
