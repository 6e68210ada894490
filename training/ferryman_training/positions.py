"""How a Transformer knows where a token stands: in three ways, behind one interface.

Dimension key:
    B: sentences    T: tokens    D: width    H: heads    K: width of a head
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ferryman_training.model_config import TransformerConfig


class Rotation(NamedTuple):
    """By what queries and keys are turned at each position; (T, K / 2), or (B, 1, T, K / 2)."""

    cosines: Tensor
    sines: Tensor


def sinusoids(positions: Tensor, width: int) -> Tensor:
    """Return the position encodings of section 3.5, sines first and cosines after them.

    The paper (https://arxiv.org/abs/1706.03762) interleaves the two; the order of dimensions is
    free, since every use of them goes through a learned matrix.

    Args:
        positions: Whole numbers of any shape (...).
        width: D, even.

    Returns:
        float32 (..., D).
    """
    angles = _angles(positions, width)
    return torch.cat([angles.sin(), angles.cos()], dim=-1)


def rotate(x: Tensor, rotation: Rotation) -> Tensor:
    """Turn queries or keys, so that products of two depend on their distance alone.

    Su et al. 2021, https://arxiv.org/abs/2104.09864, equation 34, but dimension i is paired with
    i + K / 2 instead of its neighbour. Here too the order of dimensions is free.

    Args:
        x: (B, H, T, K).
        rotation: Of the T positions.

    Returns:
        (B, H, T, K).
    """
    first, second = x.chunk(2, dim=-1)
    cosines, sines = (part.to(x.dtype) for part in rotation)
    return torch.cat([first * cosines - second * sines, second * cosines + first * sines], dim=-1)


class Positions(nn.Module, ABC):
    """What is added to embeddings, and how queries and keys of self-attention are turned."""

    @abstractmethod
    def forward(self, embedded: Tensor, positions: Tensor) -> Tensor:
        """Return embeddings that know their place.

        Args:
            embedded: (B, T, D).
            positions: From 0, (T,) or (B, T).

        Returns:
            (B, T, D).
        """

    def rotation(self, positions: Tensor) -> Rotation | None:  # noqa: ARG002
        """Return how to turn queries and keys at positions (T,) or (B, T); None for not at all."""
        return None


class SinusoidalPositions(Positions):
    """Section 3.5 of the paper: sines and cosines are added, nothing is learnt."""

    def forward(self, embedded: Tensor, positions: Tensor) -> Tensor:
        """See `Positions.forward`."""
        return embedded + sinusoids(positions, embedded.shape[-1]).to(embedded.dtype)


class LearnedPositions(Positions):
    """A vector for every position is added (Gehring et al. 2017, https://arxiv.org/abs/1705.03122).

    Training has no position past the last one; a translation that runs on stays there.
    """

    def __init__(self, count: int, width: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(count, width)

    def forward(self, embedded: Tensor, positions: Tensor) -> Tensor:
        """See `Positions.forward`."""
        last, width = self.embedding.weight.shape[0] - 1, self.embedding.weight.shape[1]
        learned: Tensor = self.embedding(positions.clamp(max=last))
        x: Tensor = embedded + learned * width**0.5  # scaled as token embeddings are
        return x


class RotaryPositions(Positions):
    """Nothing is added; self-attention turns queries and keys, see `rotate`."""

    def __init__(self, head_width: int) -> None:
        super().__init__()
        self.head_width = head_width

    def forward(self, embedded: Tensor, positions: Tensor) -> Tensor:  # noqa: ARG002
        """Return the embeddings as they are."""
        return embedded

    def rotation(self, positions: Tensor) -> Rotation:
        """See `Positions.rotation`."""
        angles = _angles(positions, self.head_width)
        if positions.ndim > 1:
            angles = angles.unsqueeze(-3)  # the same for all heads
        return Rotation(angles.cos(), angles.sin())


def build_positions(config: TransformerConfig) -> Positions:
    """Return the positions of one side of a model."""
    match config.positions:
        case "sinusoidal":
            return SinusoidalPositions()
        case "learned":
            return LearnedPositions(config.max_positions, config.width)
        case "rotary":
            return RotaryPositions(config.width // config.heads)


def _angles(positions: Tensor, width: int) -> Tensor:
    """Return position / 10,000^(2i / width) for every i under width / 2, float32 (..., width / 2).

    Both papers turn at these rates.
    """
    half = torch.arange(width // 2, dtype=torch.float32, device=positions.device)
    rates = torch.exp(half * (-2.0 * math.log(10_000.0) / width))
    return positions.to(torch.float32).unsqueeze(-1) * rates
