"""Small graphs that move state about, so that a server can keep it on a device without torch.

They are made from the declared state alone, of standard operators. Every tensor goes in under its
name and comes out as ``next.NAME``. Bind the two to the same memory: then only the rows that are
named by their indices are written, since ONNX Runtime copies the rest only into other memory.

Dimension key:
    B: sources of a chunk    n: slots    W: hypotheses per source    m: moves
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from ferryman_bundle import StateKind, StateTensor

OPSET: Final = 18
_IR_VERSION: Final = 9
_ELEMENT: Final = {"float32": TensorProto.FLOAT, "float16": TensorProto.FLOAT16}
_NUMPY: Final[Mapping[str, type[np.generic]]] = {"float32": np.float32, "float16": np.float16}


def state_graphs(state: Sequence[StateTensor]) -> dict[str, onnx.ModelProto]:
    """Return the graphs that change a running batch between its steps, by name.

    ``admit``
        Gives the sources ``sources`` (m,) of an encoded chunk the slots ``slots`` (m,): memory is
        padded to the length of the pool, and every one of the ``width`` (1,) hypotheses begins with
        the recurrent state of its source. What the encoder returned goes in as ``encoded.NAME``.
        Caches are empty at first, so nothing is written to them.
    ``reorder``
        Copies the rows ``sources`` (m,) onto the rows ``targets`` (m,), in everything that belongs
        to hypotheses. All rows are read before the first is written.
    ``release``
        Moves the slots ``sources`` (m,) into the slots ``targets`` (m,), with all that is theirs:
        the memory of the source, and the rows of its ``width`` (1,) hypotheses.

    Args:
        state: The declared tensors of a variant.
    """
    return {"admit": _admit(state), "reorder": _reorder(state), "release": _release(state)}


class _Nodes:
    """Nodes under construction, with constants and names that do not clash."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def add(self, operator: str, *inputs: str, output: str | None = None, **attributes: Any) -> str:
        """Add a node of one output, and return its name."""
        name = output or f"{operator.lower()}.{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [name], **attributes))
        return name

    def constant(self, value: object, dtype: type[np.generic] = np.int64) -> str:
        """Add a constant, and return its name."""
        name = f"constant.{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value, dtype), name))
        return name

    def scatter(self, tensor: StateTensor, indices: str, updates: str) -> None:
        """Write rows of a tensor, and put the whole of it out."""
        column = self.add("Unsqueeze", indices, self.constant([1]))
        self.add("ScatterND", tensor.name, column, updates, output=_next(tensor))

    def rows_of(self, slots: str) -> str:
        """Return the rows of slots, those of one slot side by side, (B,) -> (B x W,)."""
        width = self.add("Squeeze", "width")
        offsets = self.add("Range", self.constant(0), width, self.constant(1))
        first = self.add("Unsqueeze", self.add("Mul", slots, width), self.constant([1]))
        return self.add("Reshape", self.add("Add", first, offsets), self.constant([-1]))


def _admit(state: Sequence[StateTensor]) -> onnx.ModelProto:
    nodes = _Nodes()
    written = [tensor for tensor in state if tensor.kind is not StateKind.CACHE]
    rows = nodes.rows_of("slots")
    for tensor in written:
        encoded = nodes.add("Gather", f"encoded.{tensor.name}", "sources", axis=0)
        if tensor.kind is StateKind.MEMORY:
            nodes.scatter(tensor, "slots", _padded(nodes, tensor, encoded))
        else:
            nodes.scatter(tensor, rows, _repeated(nodes, encoded))
    inputs = [
        *(_value(tensor) for tensor in written),
        *(_encoded(tensor) for tensor in written),
        helper.make_tensor_value_info("sources", TensorProto.INT64, ["moves"]),
        helper.make_tensor_value_info("slots", TensorProto.INT64, ["moves"]),
        helper.make_tensor_value_info("width", TensorProto.INT64, [1]),
    ]
    return _model("admit", nodes, inputs, written)


def _padded(nodes: _Nodes, tensor: StateTensor, encoded: str) -> str:
    """Return what the encoder returned, padded to the length that the pool has."""
    axis = tensor.length_axis
    if axis is None:
        return encoded
    at = nodes.constant([axis])
    missing = nodes.add(
        "Sub",
        nodes.add("Gather", nodes.add("Shape", tensor.name), at),
        nodes.add("Gather", nodes.add("Shape", encoded), at),
    )
    widths = nodes.add("Concat", nodes.constant([0]), missing, axis=0)
    padding = nodes.constant(tensor.padding, _NUMPY[tensor.dtype])
    return nodes.add("Pad", encoded, widths, padding, at)


def _repeated(nodes: _Nodes, encoded: str) -> str:
    """Return every row W times, those of one source side by side, (B, ...) -> (B x W, ...)."""
    batch = nodes.add("Squeeze", nodes.add("Shape", encoded, start=0, end=1))
    width = nodes.add("Squeeze", "width")
    row = nodes.add("Range", nodes.constant(0), nodes.add("Mul", batch, width), nodes.constant(1))
    return nodes.add("Gather", encoded, nodes.add("Div", row, width), axis=0)


def _reorder(state: Sequence[StateTensor]) -> onnx.ModelProto:
    nodes = _Nodes()
    moved = [tensor for tensor in state if tensor.kind is not StateKind.MEMORY]
    for tensor in moved:
        nodes.scatter(tensor, "targets", nodes.add("Gather", tensor.name, "sources", axis=0))
    return _model("reorder", nodes, [*map(_value, moved), *_moves()], moved)


def _release(state: Sequence[StateTensor]) -> onnx.ModelProto:
    nodes = _Nodes()
    sources, targets = nodes.rows_of("sources"), nodes.rows_of("targets")
    for tensor in state:
        of_source = tensor.kind is StateKind.MEMORY
        taken = nodes.add("Gather", tensor.name, "sources" if of_source else sources, axis=0)
        nodes.scatter(tensor, "targets" if of_source else targets, taken)
    width = helper.make_tensor_value_info("width", TensorProto.INT64, [1])
    return _model("release", nodes, [*map(_value, state), *_moves(), width], state)


def _moves() -> list[onnx.ValueInfoProto]:
    return [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["moves"])
        for name in ("sources", "targets")
    ]


def _next(tensor: StateTensor) -> str:
    return f"next.{tensor.name}"


def _value(tensor: StateTensor, name: str | None = None) -> onnx.ValueInfoProto:
    """Declare a tensor of the pool."""
    return helper.make_tensor_value_info(
        name or tensor.name, _ELEMENT[tensor.dtype], list(tensor.shape)
    )


def _encoded(tensor: StateTensor) -> onnx.ValueInfoProto:
    """Declare what the encoder returns for a tensor: a row per source, and a length of its own."""
    lengths = {"source_length": "chunk_length"}
    shape = ["chunk", *(lengths.get(str(size), size) for size in tensor.shape[1:])]
    return helper.make_tensor_value_info(f"encoded.{tensor.name}", _ELEMENT[tensor.dtype], shape)


def _model(
    name: str,
    nodes: _Nodes,
    inputs: Iterable[onnx.ValueInfoProto],
    written: Sequence[StateTensor],
) -> onnx.ModelProto:
    """Return the model; it is checked here, since nobody else looks at it before a server does."""
    outputs = [_value(tensor, _next(tensor)) for tensor in written]
    graph = helper.make_graph(nodes.nodes, name, list(inputs), outputs, nodes.constants)
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=_IR_VERSION
    )
    onnx.checker.check_model(model, full_check=True)
    return model
