"""The inputs and outputs of a graph, declared once.

Example inputs, dynamic axes, names and the shapes that the ONNX file states all come from here, and
so does what the manifest says about state.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import onnx
import torch
from torch import Tensor

from ferryman_bundle import StateKind, StateTensor

_ONNX_TYPES: Final = {
    torch.float16: onnx.TensorProto.FLOAT16,
    torch.float32: onnx.TensorProto.FLOAT,
    torch.int8: onnx.TensorProto.INT8,
    torch.int32: onnx.TensorProto.INT32,
    torch.int64: onnx.TensorProto.INT64,
}

# Sizes while tracing. They differ, and none is 0 or 1, lest torch.export take one dynamic axis
# for another or for a constant.
_EXAMPLE_SIZES: Final[Mapping[str, int]] = {
    "sources": 3,
    "width": 2,
    "hypotheses": 6,
    "source_length": 8,
    "capacity": 5,
    "candidates": 7,
    "target_length": 9,
    "columns": 11,
    "places": 10,
}


StateType = Literal["float16", "float32"]
"""Of state tensors, as the manifest names it."""
_STATE_TYPES: Final[Mapping[StateType, torch.dtype]] = {
    "float16": torch.float16,
    "float32": torch.float32,
}


@dataclass(frozen=True, slots=True)
class Port:
    """One input or output of a graph."""

    name: str
    dtype: torch.dtype
    shape: tuple[int | str, ...]
    """Sizes, and names of those that are known only when the graph runs."""

    def example(self) -> Tensor:
        """Return a tensor of zeros that can stand for this input while tracing."""
        sizes = [_EXAMPLE_SIZES[d] if isinstance(d, str) else d for d in self.shape]
        return torch.zeros(sizes, dtype=self.dtype)

    def dynamic_axes(self) -> dict[int, torch.export.Dim]:
        """Return which axes torch.export must keep open; one that it cannot is an error."""
        return {
            axis: torch.export.Dim.DYNAMIC
            for axis, size in enumerate(self.shape)
            if isinstance(size, str)
        }

    def value_info(self) -> onnx.ValueInfoProto:
        """Return the declaration for the ONNX file."""
        return onnx.helper.make_tensor_value_info(
            self.name, _ONNX_TYPES[self.dtype], list(self.shape)
        )


def source_bias(shape: tuple[int | str, ...]) -> StateTensor:
    """Declare what marks the padding of sources: 0 on tokens, minus infinity beyond them.

    It is float32 in every variant, and so are the sums of attention that it is added to.

    Args:
        shape: Its last axis is the length of the source.
    """
    return StateTensor(
        name="memory.bias",
        kind=StateKind.MEMORY,
        dtype="float32",
        shape=shape,
        length_axis=len(shape) - 1,
        padding=float("-inf"),
        output=None,
    )


def state_inputs(state: Sequence[StateTensor], *kinds: StateKind) -> list[Port]:
    """Return the ports of state tensors as a step takes them, kind by kind."""
    return [
        Port(tensor.name, _STATE_TYPES[tensor.dtype], tensor.shape)
        for kind in kinds
        for tensor in state
        if tensor.kind is kind
    ]


def state_outputs(state: Sequence[StateTensor]) -> list[Port]:
    """Return the ports of what a step puts in place of state tensors, in their order."""
    return [
        Port(tensor.output, _STATE_TYPES[tensor.dtype], tensor.shape)
        for tensor in state
        if tensor.output is not None
    ]


def encoder_outputs(state: Sequence[StateTensor]) -> list[Port]:
    """Return the ports of what an encoder makes: memory, and first recurrent state by source."""
    return [
        Port(tensor.name, _STATE_TYPES[tensor.dtype], ("sources", *tensor.shape[1:]))
        for tensor in state
        if tensor.kind is not StateKind.CACHE
    ]
