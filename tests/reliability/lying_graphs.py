"""ONNX graphs that are not what they say they are, from ones that work.

Each attack takes a model of the encoder or of the step and a source of chance, and changes the
model so that sizes, types, versions, names or values are not what whoever loads or runs it expects.
"""

from __future__ import annotations

import numpy as np
from greedy_graphs import FLOAT, INT64, Attack, constant, poison
from onnx import helper, numpy_helper


def initializer_that_lies(model, chance):
    tensor = chance.choice(list(model.graph.initializer))
    match chance.randrange(5):
        case 0:
            tensor.dims[:] = [chance.choice([-1, 0, 2**31, 2**62]) for _ in range(3)]
        case 1:
            tensor.data_type = chance.choice([0, 8, 9999, -1, 16])
        case 2:
            tensor.raw_data = tensor.raw_data[: len(tensor.raw_data) // 2] + b"x"
        case 3:
            tensor.name = chance.choice(["", "input_ids", "a" * 100_000])
        case _:
            tensor.float_data.extend([1.0] * 1000)


def sparse_initializer(model, chance):
    values = helper.make_tensor("sparse", FLOAT, [2], [1.0, 2.0])
    indices = helper.make_tensor("", INT64, [2], [chance.choice([-1, 3, 2**40]), 2**50])
    shape = [chance.choice([4, 2**33, 2**62])]
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(values, indices, shape))
    poison(model, [helper.make_node("Identity", ["sparse"], ["dense"])], "dense")


def giant_string(model, chance):
    text = "a" * chance.choice([100_000, 5_000_000])
    node = chance.choice(list(model.graph.node))
    match chance.randrange(5):
        case 0:
            node.name = text
        case 1:
            node.op_type = text
        case 2:
            model.doc_string = text
        case 3:
            node.domain = text
        case _:
            node.attribute.append(helper.make_attribute(text, text))


def attribute_that_breaks(model, chance):
    """Zero heads to divide by, axes that are not there, negative sizes."""
    nodes = [n for n in model.graph.node if any(a.type in (1, 2, 7) for a in n.attribute)]
    node = chance.choice(nodes)
    attribute = chance.choice([a for a in node.attribute if a.type in (1, 2, 7)])
    attribute.f = chance.choice([float("nan"), float("inf"), 0.0, -1e30])
    attribute.i = chance.choice([0, -1, 99, 2**31, -(2**62), 2**62])
    for i in range(len(attribute.ints)):
        attribute.ints[i] = chance.choice([0, -1, 99, 2**62])


def attention_of_zero_heads(model, chance):
    attributes = {"num_heads": chance.choice([0, -1, 2**31 - 1]), "kv_num_heads": 0}
    for node in model.graph.node:
        for attribute in node.attribute:
            if attribute.name in attributes:
                attribute.i = attributes[attribute.name]


def kernel_with_wrong_sizes(model, chance):
    """Kernels that take sizes from their attributes, which are not those of their inputs."""
    n = chance.choice([0, -1, 3, 1000, 2**31 - 1, 2**40])
    x = np.ones((1, 2, 8), np.float32)
    matrix, vector = np.ones((8, 24), np.float32), np.ones(24, np.float32)
    kernels, scales = np.ones((1, 16, 8), np.float32), np.ones(8, np.float32)
    nibbles = {"bits": 4, "block_size": 16}
    packed = np.ones((8, 1, 8), np.uint8)
    index = np.full((1, 1, 1), n, np.int64)
    name, inputs, attributes = chance.choice(
        [
            ("MatMulNBits", [matrix[:, :16], packed, scales], {"K": 16, "N": n, **nibbles}),
            ("MatMulNBits", [x, packed, scales], {"K": n, "N": 8, **nibbles}),
            ("Attention", [x, matrix, vector], {"num_heads": n}),
            ("MultiHeadAttention", [x, x, x], {"num_heads": n}),
            ("LSTM", [x, kernels, kernels[..., :4]], {"hidden_size": n}),
            ("DepthToSpace", [x[None]], {"blocksize": n}),
            ("GatherND", [x, index[0].repeat(3, 1)], {"batch_dims": 0}),
            ("ScatterElements", [x, index, x[:, :1, :1]], {"axis": 1}),
            ("OneHot", [np.zeros(4, np.int64), index[0, 0], scales[:2]], {}),
            ("MaxPool", [x], {"kernel_shape": [abs(n) + 1], "strides": [1], "pads": [n, n]}),
            ("MaxPool", [x], {"kernel_shape": [1], "strides": [n]}),
        ]
    )  # fmt: skip
    microsoft = name in ("MatMulNBits", "Attention", "MultiHeadAttention")
    if microsoft and all(o.domain != "com.microsoft" for o in model.opset_import):
        model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    names = [f"poison_{i}" for i in range(len(inputs))]
    nodes = [
        helper.make_node("Constant", [], [name], value=numpy_helper.from_array(array))
        for name, array in zip(names, inputs, strict=True)
    ]
    domain = "com.microsoft" if microsoft else ""
    call = helper.make_node(name, names, ["y"], domain=domain, **attributes)
    poison(model, [*nodes, call], "y")


def wrong_version(model, chance):
    match chance.randrange(4):
        case 0:
            model.ir_version = chance.choice([-1, 0, 999, 2**40])
        case 1:
            model.opset_import[0].version = chance.choice([-1, 0, 1, 999, 2**40])
        case 2:
            del model.opset_import[:]
        case _:
            chance.choice(list(model.graph.node)).domain = "com.example"


def other_interface(model, chance):
    """Inputs and outputs that are not those of the manifest."""
    infos = chance.choice([model.graph.input, model.graph.output])
    info = chance.choice(list(infos))
    match chance.randrange(5):
        case 0:
            infos.remove(info)
        case 1:
            info.name += "_other"
        case 2:
            info.type.tensor_type.elem_type = chance.choice([0, 7, 8, 10, 999])
        case 3:
            infos.append(info)
        case _:
            dims = info.type.tensor_type.shape.dim
            for dim in dims:
                dim.dim_value = chance.choice([-1, 0, 1, 7, 2**40])


def other_values(model, chance):
    """Outputs that have the right shape and hold what no search expects."""
    output = chance.choice(list(model.graph.output)).name
    number = next(o.type.tensor_type.elem_type for o in model.graph.output if o.name == output)
    for node in model.graph.node:
        node.output[:] = ["good" if name == output else name for name in node.output]
        node.input[:] = ["good" if name == output else name for name in node.input]
    value = (
        chance.choice([-1, 2**40, 10**6])
        if number == INT64
        else chance.choice([float("nan"), float("inf"), float("-inf"), 1e38])
    )
    dtype = np.int64 if number == INT64 else np.float32
    model.graph.node.extend(
        [
            constant("poison_zero", [0], dtype),
            constant("poison_value", [value], dtype),
            helper.make_node("Mul", ["good", "poison_zero"], ["poison_zeros"]),
            helper.make_node("Add", ["poison_zeros", "poison_value"], [output]),
        ]
    )


def other_shape(model, chance):
    """Outputs that are larger or smaller than the buffers that they are written to."""
    output = chance.choice(list(model.graph.output)).name
    for node in model.graph.node:
        node.output[:] = ["good" if name == output else name for name in node.output]
        node.input[:] = ["good" if name == output else name for name in node.input]
    axis = chance.choice([0, 1, -1])
    if chance.random() < 0.5:
        change = helper.make_node("Concat", ["good"] * chance.choice([2, 64]), [output], axis=axis)
        model.graph.node.append(change)
    else:
        ends = [constant(n, [v], np.int64) for n, v in (("b", 0), ("e", -1), ("a", axis))]
        change = helper.make_node("Slice", ["good", "b", "e", "a"], [output])
        model.graph.node.extend([*ends, change])
    for info in model.graph.output:
        info.type.tensor_type.ClearField("shape")


LYING: tuple[Attack, ...] = (
    initializer_that_lies,
    sparse_initializer,
    giant_string,
    attribute_that_breaks,
    attention_of_zero_heads,
    kernel_with_wrong_sizes,
    wrong_version,
    other_interface,
    other_values,
    other_shape,
)
"""Attacks on whoever believes what a graph says of itself."""
