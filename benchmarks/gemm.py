"""How long ONNX Runtime takes for the matrix products of a model, alone and on one thread."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from benchmarks.bandwidth import least_seconds
from ferryman_bundle import Bundle

Precision = Literal["int8", "fp32"]
_PRODUCTS: Final = {"MatMul", "Gemm", "MatMulIntegerToFloat"}
_SEVERAL: Final = 5
"""Products of one graph, less one: what a run costs besides is not to be counted."""
_FEW_BYTES: Final = 1 << 21
_REPETITIONS: Final = 30
_REPETITIONS_OF_SMALL_ONES: Final = 300


@dataclass(frozen=True, slots=True, order=True)
class Matrix:
    """The shape of a weight."""

    inputs: int
    outputs: int

    @property
    def weights(self) -> int:
        """How many numbers it has."""
        return self.inputs * self.outputs


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """One matrix product of a model, with so many rows."""

    matrix: Matrix
    rows: int
    seconds: dict[Precision, float]


def matrices_of(bundle: Bundle, graph: str, variant: str) -> list[Matrix]:
    """Return the weights that a graph multiplies by, one for each product.

    Args:
        bundle: The model.
        graph: ``step`` or ``encoder``.
        variant: Of the bundle.
    """
    values = bundle.initializer_values(graph, variant)
    found = []
    for node in onnx.load_from_string(bundle.graph(graph, variant)).graph.node:
        weight = values.get(node.input[1]) if node.op_type in _PRODUCTS else None
        if weight is None or weight.ndim != 2:
            continue
        transposed = any(a.name == "transB" and a.i for a in node.attribute)
        shape = weight.shape[::-1] if transposed else weight.shape
        found.append(Matrix(*map(int, shape)))
    return found


def product_seconds(matrix: Matrix, rows: int, precision: Precision) -> float:
    """Return how long one product of (rows, inputs) by a matrix takes, its weights in a cache.

    Small ones are timed several in a graph, each with weights of its own.
    """
    rng = np.random.default_rng(0)
    inputs = {"x": rng.standard_normal((rows, matrix.inputs), np.float32)}

    def seconds(count: int) -> float:
        session = _session(matrix, count, precision)
        small = matrix.weights * rows < _FEW_BYTES
        repetitions = _REPETITIONS_OF_SMALL_ONES if small else _REPETITIONS
        return least_seconds(lambda: session.run(None, inputs), repetitions)

    if matrix.weights > _FEW_BYTES:
        return seconds(1)
    # On a busy machine noise can exceed a tiny difference: never less than nothing.
    return max(seconds(_SEVERAL) - seconds(1), 1e-9) / (_SEVERAL - 1)


def _session(matrix: Matrix, count: int, precision: Precision) -> onnxruntime.InferenceSession:
    rng = np.random.default_rng(1)
    tensors: list[onnx.TensorProto] = []
    nodes: list[onnx.NodeProto] = []
    shape = matrix.inputs, matrix.outputs
    if precision == "int8":
        tensors = [
            numpy_helper.from_array(np.array(0.02, np.float32), "scale"),
            numpy_helper.from_array(np.array(128, np.uint8), "zero"),
            numpy_helper.from_array(np.full(matrix.outputs, 0.01, np.float32), "scales"),
        ]
        nodes.append(helper.make_node("QuantizeLinear", ["x", "scale", "zero"], ["q"]))
    for i in range(count):
        if precision == "int8":
            tensors.append(_tensor(rng.integers(-127, 128, shape).astype(np.int8), i))
            names = ["q", f"w{i}", "scale", "scales", "zero"]
            kind, domain = "MatMulIntegerToFloat", "com.microsoft"
        else:
            tensors.append(_tensor(rng.standard_normal(shape, np.float32), i))
            names, kind, domain = ["x", f"w{i}"], "MatMul", ""
        nodes.append(helper.make_node(kind, names, [f"y{i}"], domain=domain))
    graph = helper.make_graph(
        nodes,
        "products",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", matrix.inputs])],
        [
            helper.make_tensor_value_info(f"y{i}", TensorProto.FLOAT, ["rows", matrix.outputs])
            for i in range(count)
        ],
        tensors,
    )
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def _tensor(weights: npt.NDArray[np.generic], number: int) -> onnx.TensorProto:
    return numpy_helper.from_array(weights, f"w{number}")
