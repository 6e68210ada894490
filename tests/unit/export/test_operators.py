"""Operators that only a graph can compute say so, rather than return zeros."""

from __future__ import annotations

import pytest
import torch

from ferryman_export.operators import group_query_attention, top_k


def test_top_k_refuses_to_run_in_torch():
    with pytest.raises(RuntimeError, match="TopK exists in exported graphs only"):
        top_k(torch.zeros(2, 5), torch.tensor([3]))


def test_group_query_attention_refuses_to_run_in_torch():
    lengths = torch.zeros(1, dtype=torch.int32)
    cache = (torch.zeros(1, 2, 4, 8), torch.zeros(1, 2, 4, 8))
    with pytest.raises(RuntimeError, match="GroupQueryAttention exists in exported graphs only"):
        group_query_attention(
            torch.zeros(1, 1, 48), cache=cache, past_lengths=lengths, total_length=lengths, heads=2
        )
