"""The inputs and outputs of a graph, declared once.

Example inputs, dynamic axes, names and the shapes that the ONNX file states all come from here, and
so does what the manifest says about state.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import onnx
import torch
from torch import Tensor

_ONNX_TYPES: Final = {
    torch.float32: onnx.TensorProto.FLOAT,
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
