"""Attention against equation 1 of arXiv 1706.03762, computed in NumPy, float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ferryman_training.attention import CrossAttention, SelfAttention, attend

EXACT = {"rtol": 1e-12, "atol": 1e-12}
"""Both sides compute in float64; only the order of sums differs."""


def softmax(x: np.ndarray) -> np.ndarray:
    exponentials = np.exp(x - x.max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


def equation_1(q: np.ndarray, k: np.ndarray, v: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    """softmax(Q K^T / sqrt(d_k)) V of one head, row by row: only allowed positions take part."""
    rows = []
    for query, row in zip(q, allowed, strict=True):
        scores = np.array([query @ key for key in k[row]]) / np.sqrt(q.shape[-1])
        rows.append(softmax(scores) @ v[row])
    return np.stack(rows)


def multi_head(
    x: np.ndarray, y: np.ndarray, allowed: np.ndarray, weights: dict[str, np.ndarray], heads: int
) -> np.ndarray:
    """Concat(head_1, ..., head_h) W^O of section 3.2.2, for one sentence."""
    q, k, v = (
        data @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]
        for name, data in (("q", x), ("k", y), ("v", y))
    )
    size = q.shape[-1] // heads
    parts = [slice(h * size, (h + 1) * size) for h in range(heads)]
    joined = np.concatenate([equation_1(q[:, p], k[:, p], v[:, p], allowed) for p in parts], 1)
    return joined @ weights["o.weight"].T + weights["o.bias"]


def projections(module: SelfAttention | CrossAttention) -> dict[str, np.ndarray]:
    """Return the four projections of a module under the paper's names."""
    if isinstance(module, SelfAttention):
        weight, bias = module.qkv.weight.chunk(3), module.qkv.bias.chunk(3)
    else:
        weight = (module.query.weight, *module.kv.weight.chunk(2))
        bias = (module.query.bias, *module.kv.bias.chunk(2))
    weights = (*weight, module.output.weight)
    biases = (*bias, module.output.bias)
    return {
        f"{name}.{part}": tensor.detach().numpy()
        for part, tensors in (("weight", weights), ("bias", biases))
        for name, tensor in zip("qkvo", tensors, strict=True)
    }


@pytest.mark.parametrize("seed", range(3))
def test_attend_is_equation_1(seed):
    generator = np.random.default_rng(seed)
    query = generator.normal(size=(2, 3, 4, 5))
    keys, values = generator.normal(size=(2, 2, 3, 6, 5))
    allowed = generator.random(size=(2, 3, 4, 6)) < 0.6
    allowed[..., 0] = True
    expected = np.stack(
        [
            np.stack(
                [equation_1(*(x[b, h] for x in (query, keys, values, allowed))) for h in range(3)]
            )
            for b in range(2)
        ]
    )
    bias = torch.zeros(allowed.shape, dtype=torch.float64)
    bias = bias.masked_fill(torch.from_numpy(~allowed), float("-inf"))
    found = attend(*map(torch.from_numpy, (query, keys, values)), bias)
    np.testing.assert_allclose(found.numpy(), expected, **EXACT)


def test_self_attention_is_section_3_2_2():
    torch.manual_seed(1)
    module = SelfAttention(12, 3).double()
    x = torch.randn(1, 5, 12, dtype=torch.float64)
    past = torch.full((5, 5), float("-inf"), dtype=torch.float64).triu(1)
    expected = multi_head(
        x[0].numpy(), x[0].numpy(), np.tri(5, dtype=bool), projections(module), heads=3
    )
    np.testing.assert_allclose(module(x, past, None)[0].detach().numpy(), expected, **EXACT)


def test_cross_attention_is_section_3_2_2():
    torch.manual_seed(2)
    module = CrossAttention(12, 3).double()
    x, y = (torch.randn(1, n, 12, dtype=torch.float64) for n in (4, 7))
    bias = torch.zeros(1, 1, 1, 7, dtype=torch.float64)
    bias[..., 5:] = float("-inf")
    expected = multi_head(
        x[0].numpy(), y[0].numpy(), np.arange(7)[None] < [[5]] * 4, projections(module), heads=3
    )
    found = module(x, *module.memory(y), bias)
    np.testing.assert_allclose(found[0].detach().numpy(), expected, **EXACT)
