"""Weights leave the graphs, each once, whatever they are called."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from ferryman_bundle.manifest import Storage
from ferryman_bundle.quantization import dequantize, quantize
from ferryman_bundle.variant import Initializer, Part
from ferryman_export.errors import ExportError
from ferryman_export.lowering import separate_weights
from ferryman_export.weight_store import WeightStore

DRAW = np.random.default_rng(0)
A, B = (DRAW.normal(size=(16, 16)).astype(np.float32) for _ in range(2))
SMALL = np.ones(8, np.float32)


def model(**initializers):
    """A graph that adds up all its initializers, in order."""
    nodes = [
        helper.make_node("Add", ["x" if i == 0 else f"sum{i}", name], [f"sum{i + 1}"])
        for i, name in enumerate(initializers)
    ]
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [16, 16])
    result = helper.make_tensor_value_info(f"sum{len(nodes)}", TensorProto.FLOAT, [16, 16])
    tensors = [numpy_helper.from_array(array, name) for name, array in initializers.items()]
    return helper.make_model(helper.make_graph(nodes, "sum", [value], [result], tensors))


class Separated:
    """Models whose weights went into one store."""

    def __init__(self, **models):
        self._store = WeightStore()
        self.graphs = {name: separate_weights(each, self._store) for name, each in models.items()}
        self.tensors = self._store.tensors

    def values(self, graph):
        weights = self._store.values(Storage.FLOAT32)
        places = self.graphs[graph].initializers
        return {name: weights.values(place) for name, place in places.items()}


def operands(lowered, graph):
    """What each node of a lowered graph adds, by content."""
    parsed = onnx.load_model_from_string(lowered.graphs[graph].file)
    inline = {
        i.name: numpy_helper.to_array(i)
        for i in parsed.graph.initializer
        if i.data_location != TensorProto.EXTERNAL
    }
    return [{**lowered.values(graph), **inline}[node.input[1]] for node in parsed.graph.node]


def check(lowered, graph, *expected):
    found = operands(lowered, graph)
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_weight_of_two_graphs_is_stored_once():
    lowered = Separated(one=model(a=A, b=B), two=model(other=A))
    assert lowered.tensors.keys() == {"a", "b"}
    assert list(lowered.graphs["one"].initializers) == ["a", "b"]
    assert list(lowered.graphs["two"].initializers) == ["a"]
    check(lowered, "one", A, B)
    check(lowered, "two", A)


def test_one_name_for_two_weights_becomes_two_names():
    lowered = Separated(one=model(w=A), two=model(w=B))
    assert lowered.tensors.keys() == {"w", "w.2"}
    check(lowered, "one", A)
    check(lowered, "two", B)


@pytest.mark.parametrize("order", [("a", "b"), ("b", "a")])
def test_names_may_be_exchanged_between_graphs(order):
    contents = {"a": B, "b": A}
    swapped = {name: contents[name] for name in order}
    lowered = Separated(one=model(a=A, b=B), two=model(**swapped))
    assert lowered.tensors.keys() == {"a", "b"}
    check(lowered, "two", *swapped.values())


def test_equal_weights_of_one_graph_become_one():
    lowered = Separated(one=model(a=A, same=A.copy()))
    assert list(lowered.graphs["one"].initializers) == ["a"]
    check(lowered, "one", A, A)
    onnx.load_model_from_string(lowered.graphs["one"].file)


def test_equal_bytes_of_another_shape_are_another_weight():
    lowered = Separated(one=model(a=A, b=A.reshape(1, 256)))
    assert lowered.tensors.keys() == {"a", "b"}


def test_small_and_whole_numbered_initializers_stay():
    indices = np.arange(512)
    lowered = Separated(one=model(a=A, small=SMALL, indices=indices))
    assert lowered.tensors.keys() == {"a"}
    check(lowered, "one", A, SMALL, indices)


def test_a_graph_file_holds_none_of_its_weights():
    lowered = Separated(one=model(a=A, b=B))
    assert len(lowered.graphs["one"].file) < 1000


def test_a_weight_of_three_axes_is_stored_as_a_matrix_and_shaped_in_the_graph():
    stacked = np.stack([A, B])
    lowered = Separated(one=model(a=stacked))
    assert list(lowered.graphs["one"].initializers) == ["a.matrix"]
    np.testing.assert_array_equal(lowered.tensors["a.matrix"], np.concatenate([A, B]))
    reshape, addition = onnx.load_model_from_string(lowered.graphs["one"].file).graph.node
    assert reshape.op_type == "Reshape"
    assert reshape.output[0] == addition.input[1]


def test_what_the_body_of_a_loop_reads_is_renamed_too():
    inner = helper.make_graph(
        [helper.make_node("Add", ["h", "w"], ["next"]), helper.make_node("Identity", ["x"], ["y"])],
        "body",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [16, 16]) for name in ("h", "x")],
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, [16, 16]) for n in ("next", "y")],
    )
    scan = helper.make_node("Scan", ["start", "xs"], ["end", "ys"], num_scan_inputs=1, body=inner)
    graph = helper.make_graph(
        [scan],
        "loop",
        [
            helper.make_tensor_value_info("start", TensorProto.FLOAT, [16, 16]),
            helper.make_tensor_value_info("xs", TensorProto.FLOAT, [3, 16, 16]),
        ],
        [helper.make_tensor_value_info("end", TensorProto.FLOAT, [16, 16])],
        [numpy_helper.from_array(B, "w")],
    )
    lowered = Separated(one=model(w=A), two=helper.make_model(graph))
    body = onnx.load_model_from_string(lowered.graphs["two"].file).graph.node[0].attribute
    bodies = [attribute.g for attribute in body if attribute.name == "body"]
    assert bodies[0].node[0].input[1] == "w.2"
    assert list(lowered.graphs["two"].initializers) == ["w.2"]


def test_bytes_and_scales_are_found_in_the_matrix_they_come_from():
    quantized = quantize(A, axis=0)
    wide = np.tile(A, (16, 16))
    values = quantize(wide, axis=0)
    store = WeightStore()
    separate_weights(model(a=dequantize(values)), store)
    placed = store.place("bytes", values.values)
    assert placed == Initializer(tensor="a", part=Part.VALUES)
    placed = store.place("columns", values.values.T)
    assert placed == Initializer(tensor="a", part=Part.VALUES, transposed=True)
    assert store.place("scales", values.scales) == Initializer(tensor="a", part=Part.SCALES)
    assert store.tensors.keys() == {"a"}
    weights = store.values(Storage.INT8)
    np.testing.assert_array_equal(
        weights.values(Initializer(tensor="a", part=Part.VALUES, transposed=True)),
        values.values.T,
    )
    with pytest.raises(
        ExportError, match="other is int8, and not a form of a tensor that is stored"
    ):
        store.place("other", quantized.values)


def test_a_name_that_a_node_of_another_graph_has_is_changed_there():
    # In the second graph `sum1` is what the first node computes.
    lowered = Separated(one=model(sum1=A), two=model(b=B, again=A))
    assert list(lowered.graphs["two"].initializers) == ["b", "sum1:weight"]
    check(lowered, "two", B, A)


def test_a_tensor_gets_the_name_that_the_store_knows_it_by():
    store = WeightStore({"layer.weight": A})
    graph = separate_weights(model(w=A, layer=B), store)
    assert store.tensors.keys() == {"layer.weight", "layer"}
    assert list(graph.initializers) == ["layer", "layer.weight"]
