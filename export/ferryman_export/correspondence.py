"""Which tensor of a model each state tensor of its graphs is, in the layout of the graphs.

Dimension key:
    B: sentences    S: source tokens    H: heads    K: width of a head    P: past target tokens
"""

from __future__ import annotations

from typing import Any

from torch import Tensor

from ferryman_training import transformer


def memory_tensors(memory: Any) -> dict[str, Tensor]:
    """Return what `Seq2Seq.encode` gave, under the names of the graphs and as they lay it out."""
    match memory:
        case transformer.Memory(keys, values, bias):
            return {
                **{f"memory.{i}.key": k.transpose(2, 3) for i, k in enumerate(keys)},
                **{f"memory.{i}.value": v for i, v in enumerate(values)},
                "memory.bias": bias,
            }
        case _:
            raise NotImplementedError(type(memory))


def state_tensors(state: Any) -> dict[str, Tensor]:
    """Return what a step in torch left behind, under the names of the graphs' state."""
    match state:
        case transformer.State(keys, values):
            return {
                **{f"cache.{i}.key": k for i, k in enumerate(keys)},
                **{f"cache.{i}.value": v for i, v in enumerate(values)},
            }
        case _:
            raise NotImplementedError(type(state))
