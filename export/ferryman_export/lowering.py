"""From modules to ONNX files that hold no weights, and the weights apart from them, each once."""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final, Protocol, cast

import numpy as np
import onnx
import onnx_ir
import torch
from onnx import numpy_helper
from onnx_ir.passes import common

from ferryman_bundle.manifest import WEIGHTS
from ferryman_bundle.variant import Initializer, Part
from ferryman_export.interface import Port
from ferryman_export.lowered import LoweredGraph
from ferryman_export.weight_store import WeightStore

_INLINE_BYTES: Final = 1024
"""Initializers smaller than this stay in the graph."""
_WEIGHT_BYTES: Final[Mapping[int, int]] = {
    onnx.TensorProto.FLOAT: 4,
    onnx.TensorProto.FLOAT16: 2,
    onnx.TensorProto.INT8: 1,
}
"""Of one element, for the types that weights have."""


class Graph(Protocol):
    """A module that declares its inputs and outputs."""

    def inputs(self) -> list[Port]:
        """Declare the inputs."""
        ...

    def outputs(self) -> list[Port]:
        """Declare the outputs, in the order that `forward` returns them."""
        ...

    def arguments(self, values: Sequence[Any]) -> tuple[Any, ...]:
        """Arrange one value per input the way `forward` takes them."""
        ...


def lower(
    graphs: Mapping[str, Graph], store: WeightStore, *, opset: int
) -> dict[str, LoweredGraph]:
    """Export modules to ONNX graphs that share their weights.

    Args:
        graphs: The modules, by the name of their graph.
        store: Where the weights go; all variants of a bundle have the same.
        opset: Version of the standard operators.
    """
    return {
        name: separate_weights(trace(graph, opset, name=name), store)
        for name, graph in graphs.items()
    }


def separate_weights(model: onnx.ModelProto, store: WeightStore) -> LoweredGraph:
    """Take the weights out of an ONNX model, which is changed by that.

    Args:
        model: The model.
        store: Where the weights go.
    """
    _flatten_initializers(model.graph)
    computed = {name for node in model.graph.node for name in node.output}
    renamed: dict[str, str] = {}
    places: dict[str, Initializer] = {}
    for initializer in model.graph.initializer:
        if not _is_weight(initializer):
            continue
        place = store.place(initializer.name, numpy_helper.to_array(initializer))
        form = "" if place.part is Part.FLOATS else f":{place.part.value}"
        own = f"{place.tensor}{form}{':transposed' * place.transposed}"
        while own in computed:  # the tensor has its name from another graph
            own += ":weight"
        renamed[initializer.name], places[own] = own, place
        _make_external(initializer)
    _rename(model.graph, renamed)
    return LoweredGraph(model.SerializeToString(deterministic=True), dict(sorted(places.items())))


def trace(graph: Graph, opset: int, *, name: str = "graph") -> onnx.ModelProto:
    """Export one module, with the names and shapes that it declares, and the weights in it.

    Args:
        graph: The module.
        opset: Version of the standard operators.
        name: Of the graph in the file; `onnx.checker` wants it to have one.
    """
    inputs, outputs = graph.inputs(), graph.outputs()
    with _quiet(), torch.no_grad():
        program = torch.onnx.export(
            cast("torch.nn.Module", graph).eval(),
            graph.arguments([port.example() for port in inputs]),
            dynamo=True,
            dynamic_shapes=graph.arguments([port.dynamic_axes() for port in inputs]),
            input_names=[port.name for port in inputs],
            output_names=[port.name for port in outputs],
            opset_version=opset,
            verbose=False,
        )
    assert program is not None, "torch.onnx.export with dynamo=True returns a program"
    _merge_equal_parts(program.model)
    model = program.model_proto
    _strip(model)
    model.graph.name = name
    for infos, ports in ((model.graph.input, inputs), (model.graph.output, outputs)):
        assert [info.name for info in infos] == [port.name for port in ports]
        del infos[:]
        infos.extend(port.value_info() for port in ports)
    return model


def _merge_equal_parts(model: onnx_ir.Model) -> None:
    """Compute once what is computed twice from the same weights and inputs."""
    for value in model.graph.initializers.values():
        array = cast("onnx_ir.TensorProtocol", value.const_value).numpy()
        if not array.flags.c_contiguous:  # the pass hashes memory as it lies
            value.const_value = onnx_ir.tensor(array.copy(order="C"), name=value.name)
    common.DeduplicateHashedInitializersPass()(model)
    common.CommonSubexpressionEliminationPass()(model)
    common.RemoveUnusedNodesPass()(model)


def _is_weight(initializer: onnx.TensorProto) -> bool:
    """Return whether an initializer leaves the graph."""
    size: int = math.prod(initializer.dims) * _WEIGHT_BYTES.get(initializer.data_type, 0)
    return size >= _INLINE_BYTES


def _strip(model: onnx.ModelProto) -> None:
    """Remove what differs from machine to machine: source paths, traces, inferred symbols."""
    for item in (model, model.graph, *model.graph.node, *model.graph.initializer):
        item.ClearField("metadata_props")
        item.ClearField("doc_string")
    del model.graph.value_info[:]


def _rename(graph: onnx.GraphProto, renamed: Mapping[str, str]) -> None:
    """Give initializers other names wherever they are used; equal ones become one."""
    initializers = {}
    for initializer in graph.initializer:
        initializer.name = renamed.get(initializer.name, initializer.name)
        initializers[initializer.name] = initializer
    kept = list(initializers.values())
    del graph.initializer[:]
    graph.initializer.extend(kept)
    _rename_inputs(graph, renamed)


def _rename_inputs(graph: onnx.GraphProto, renamed: Mapping[str, str]) -> None:
    """Give what nodes read other names, in the bodies of loops as well."""
    for node in graph.node:
        node.input[:] = [renamed.get(name, name) for name in node.input]
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                _rename_inputs(attribute.g, renamed)


def _flatten_initializers(graph: onnx.GraphProto) -> None:
    """Make matrices of the weights that have more axes, and shape them in the graph.

    Only matrices are stored as bytes. ONNX Runtime folds the nodes away when it makes a session.
    """
    nodes = []
    for initializer in graph.initializer:
        if len(initializer.dims) <= 2 or not _is_weight(initializer):
            continue
        whole, matrix = initializer.name, f"{initializer.name}.matrix"
        shape = numpy_helper.from_array(np.array(initializer.dims, np.int64), f"{whole}.shape")
        graph.initializer.append(shape)
        initializer.name = matrix
        initializer.dims[:] = [math.prod(initializer.dims[:-1]), initializer.dims[-1]]
        nodes.append(onnx.helper.make_node("Reshape", [matrix, shape.name], [whole]))
    for node in reversed(nodes):
        graph.node.insert(0, node)


def _make_external(initializer: onnx.TensorProto) -> None:
    """Leave type and shape of an initializer, and say that its content is elsewhere."""
    initializer.ClearField("raw_data")
    initializer.data_location = onnx.TensorProto.EXTERNAL
    # ONNX Runtime looks for this file only where the loader does not supply the tensor.
    entry = initializer.external_data.add()
    entry.key, entry.value = "location", WEIGHTS


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep from the person what torch says about its own internals."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
