"""Attention of a recurrent decoder: how well each position of the source fits a decoder state.

Dimension key:
    B: sentences    S: source tokens    T: target tokens    D: width
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn


class Score(nn.Module, ABC):
    """How well positions of the source fit states of the decoder, both of the same width."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width

    @abstractmethod
    def keys(self, outputs: Tensor) -> Tensor:
        """Return what of the source is the same at every step, (B, S, D) -> (B, S, D)."""

    @abstractmethod
    def forward(self, queries: Tensor, keys: Tensor) -> Tensor:
        """Return the scores, (B, T, S).

        Args:
            queries: States of the decoder, (B, T, D).
            keys: From `keys`, (B, S, D).
        """


class DotScore(Score):
    """h·s: ``dot`` of Luong et al. 2015, https://arxiv.org/abs/1508.04025, equation 8."""

    def keys(self, outputs: Tensor) -> Tensor:
        """See `Score.keys`."""
        return outputs

    def forward(self, queries: Tensor, keys: Tensor) -> Tensor:
        """See `Score.forward`."""
        return queries @ keys.transpose(-1, -2)


class GeneralScore(Score):
    """h·(W s): ``general`` of Luong et al. 2015, equation 8."""

    def __init__(self, width: int) -> None:
        super().__init__(width)
        self.key = nn.Linear(width, width, bias=False)

    def keys(self, outputs: Tensor) -> Tensor:
        """See `Score.keys`."""
        keys: Tensor = self.key(outputs)
        return keys

    def forward(self, queries: Tensor, keys: Tensor) -> Tensor:
        """See `Score.forward`."""
        return queries @ keys.transpose(-1, -2)


class AdditiveScore(Score):
    """v·tanh(W h + U s).

    Bahdanau et al. 2015, https://arxiv.org/abs/1409.0473, section A.1.2; and ``concat`` of Luong
    et al. 2015, equation 8, whose one matrix over [h; s] is W and U side by side.
    """

    def __init__(self, width: int) -> None:
        super().__init__(width)
        self.query = nn.Linear(width, width, bias=False)
        self.key = nn.Linear(width, width, bias=False)
        self.energy = nn.Linear(width, 1, bias=False)

    def keys(self, outputs: Tensor) -> Tensor:
        """See `Score.keys`."""
        keys: Tensor = self.key(outputs)
        return keys

    def forward(self, queries: Tensor, keys: Tensor) -> Tensor:
        """See `Score.forward`."""
        # Position by position: (B, T, S, D) at once leaves the caches of the processor.
        fits = [
            self.energy(torch.tanh(keys + query[:, None])).squeeze(-1)
            for query in self.query(queries).unbind(dim=1)
        ]
        return torch.stack(fits, dim=1)


SCORES: dict[str, type[Score]] = {
    "dot": DotScore,
    "general": GeneralScore,
    "concat": AdditiveScore,
}
"""By their names in a config."""


def attend(scores: Tensor, values: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
    """Return what is looked at, and the weights of it.

    Bahdanau et al. 2015, equations 5 and 6.

    Args:
        scores: (B, T, S).
        values: Outputs of the encoder, (B, S, D).
        bias: 0 on tokens, minus infinity on padding, (B, S).

    Returns:
        The context vectors, (B, T, D), and the weights, (B, T, S).
    """
    weights = torch.softmax(scores + bias[:, None], dim=-1)
    return weights @ values, weights
