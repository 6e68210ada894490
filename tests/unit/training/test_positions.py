"""Positions: section 3.5 of arXiv 1706.03762, and what rotation promises."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ferryman_training.positions import RotaryPositions, rotate, sinusoids


def test_sinusoids_are_section_3_5_with_sines_before_cosines():
    width, positions = 16, np.array([0, 1, 2, 77, 500])
    expected = np.zeros((len(positions), width))
    for i in range(width // 2):
        angle = positions / 10_000 ** (2 * i / width)
        expected[:, i], expected[:, width // 2 + i] = np.sin(angle), np.cos(angle)
    found = sinusoids(torch.from_numpy(positions), width).numpy()
    # float32 angles up to 500 are rounded by up to 500 * 2**-24 = 3e-5.
    np.testing.assert_allclose(found, expected, atol=4e-5)


def products(query: torch.Tensor, key: torch.Tensor, m: int, n: int) -> torch.Tensor:
    """The scores of one query at position m and one key at position n, (B, H)."""
    places = RotaryPositions(query.shape[-1])
    turned = [
        rotate(x, places.rotation(torch.tensor([position])))
        for x, position in ((query, m), (key, n))
    ]
    return (turned[0] * turned[1]).sum((-1, -2))


@pytest.mark.parametrize("shift", [1, 7, 100])
def test_the_product_of_rotated_vectors_depends_on_their_distance_alone(seed, shift):
    """Equation 16 of arXiv 2104.09864."""
    generator = torch.Generator().manual_seed(seed)
    query, key = torch.randn(2, 3, 2, 1, 8, dtype=torch.float64, generator=generator)
    near = products(query, key, 5, 2)
    # float32 angles up to 105 are rounded by up to 4e-6.
    torch.testing.assert_close(near, products(query, key, 5 + shift, 2 + shift), rtol=0, atol=1e-4)
    assert not torch.allclose(near, products(query, key, 5 + shift, 2), atol=1e-2)


def test_rotation_keeps_lengths_and_leaves_the_first_position_alone(seed):
    x = torch.randn(2, 3, 5, 8, generator=torch.Generator().manual_seed(seed))
    turned = rotate(x, RotaryPositions(8).rotation(torch.arange(5)))
    torch.testing.assert_close(turned.norm(dim=-1), x.norm(dim=-1))
    torch.testing.assert_close(turned[:, :, 0], x[:, :, 0], rtol=0, atol=0)


def test_every_row_can_have_positions_of_its_own(seed):
    x = torch.randn(2, 3, 4, 8, generator=torch.Generator().manual_seed(seed))
    places, positions = RotaryPositions(8), torch.tensor([[0, 1, 2, 3], [9, 10, 11, 12]])
    together = rotate(x, places.rotation(positions))
    for row in range(2):
        alone = rotate(x[row : row + 1], places.rotation(positions[row]))
        torch.testing.assert_close(together[row : row + 1], alone, rtol=0, atol=0)
