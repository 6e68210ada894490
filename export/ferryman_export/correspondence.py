"""Which tensor of a model each state tensor of its graphs is, in the layout of the graphs.

Dimension key:
    B: sources    S: source tokens    H: heads    K: width of a head    P: past target tokens
    D: width    R: hypotheses
"""

from __future__ import annotations

from typing import Any

from torch import Tensor

from ferryman_training import recurrent_decoders, transformer
from ferryman_training.recurrent import Recurrent
from ferryman_training.recurrent_attention import AdditiveScore
from ferryman_training.seq2seq import Seq2Seq
from ferryman_training.transformer import Transformer


def memory_tensors(model: Seq2Seq, memory: Any) -> dict[str, Tensor]:
    """Return what `Seq2Seq.encode` gave, under the names of the graphs' state."""
    match model:
        case Transformer():
            return _transformer_memory(memory)
        case Recurrent() if model.decoder.score is not None:
            additive = isinstance(model.decoder.score, AdditiveScore)
            return _attended_memory(memory, additive=additive)
        case _:
            return {}


def carried_tensors(state: Any) -> dict[str, Tensor]:
    """Return what a step in torch hands to the next, under the names of the graphs' state."""
    match state:
        case transformer.State(keys, values):
            return {
                **{f"cache.{i}.key": layer for i, layer in enumerate(keys)},
                **{f"cache.{i}.value": layer for i, layer in enumerate(values)},
            }
        case recurrent_decoders.State(hidden, cell, feed):
            return {
                **{f"recurrent.{i}.hidden": layer for i, layer in enumerate(hidden.unbind(dim=1))},
                **{f"recurrent.{i}.cell": layer for i, layer in enumerate(cell.unbind(dim=1))},
                **({"recurrent.feed": feed} if feed.shape[1] else {}),
            }
        case _:
            raise AssertionError(f"{type(state)} belongs to no family")


def _transformer_memory(memory: transformer.Memory) -> dict[str, Tensor]:
    """Keys are (B, H, K, S) in the graphs."""
    return {
        **{f"memory.{i}.key": keys.transpose(2, 3) for i, keys in enumerate(memory.keys)},
        **{f"memory.{i}.value": values for i, values in enumerate(memory.values)},
        "memory.bias": memory.bias,
    }


def _attended_memory(memory: recurrent_decoders.Memory, *, additive: bool) -> dict[str, Tensor]:
    """Keys are (B, D, S) in the graphs where they are multiplied."""
    return {
        "memory.key": memory.keys if additive else memory.keys.transpose(1, 2),
        "memory.value": memory.values,
        "memory.bias": memory.bias[:, None],
    }
