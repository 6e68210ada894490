"""Whatever a Transformer chooses, its graphs compute the same: in float, in bytes, portable.

Sums in another order move values of size one by some 1e-6; the bound leaves room for other CPUs.
Graphs in bytes round activations on top; the bound there only tells rounding from a fault.
"""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch

from ferryman_bundle.manifest import Storage
from ferryman_export.calibration import calibrate
from ferryman_export.parity import Comparison, compare_teacher_forced
from ferryman_export.projection import FloatProjections, Int8Projections
from ferryman_export.recipe import FP32, INT8, PORTABLE
from ferryman_export.rounding import round_weights
from ferryman_export.runner import GraphRunner
from ferryman_export.variants import lower_variant, weight_store
from ferryman_training.batching import TokenPair
from ferryman_training.model_config import RecurrentConfig, TransformerConfig
from ferryman_training.seq2seq import build_model

TOLERANCE = 2e-5
ROUNDING = 2.0
"""Largest difference of a log-probability, of models of random weights."""
VOCABULARY = 2048  # so large that candidates are found in two stages
FIRST = {
    "norm": "post",
    "positions": "rotary",
    "activation": "swiglu",
    "tied_embeddings": "none",
    "heads": 2,  # 24 values each, no power of four
    "width": 48,
}
SECOND = {
    "positions": "learned",
    "max_positions": 24,
    "activation": "gelu",
    "tied_embeddings": "output",
}
ONE_BY_ONE = [{name: value} for name, value in [*FIRST.items(), *SECOND.items()] if name != "width"]
"""Options that tell which of them is wrong, where the two models with many are."""
DEEP = [options | {"max_positions": 24} for options in ONE_BY_ONE]


def name_of(options):
    return ", ".join(f"{name} {value}" for name, value in options.items())


@pytest.fixture(
    scope="module",
    params=[FIRST, *(pytest.param(options, marks=pytest.mark.deep) for options in DEEP)],
    ids=name_of,
)
def model(request):
    return build(request.param, request.config.option.seed)


def build(options, seed):
    """One layer each, with vectors moved off the zeros and ones that they begin with."""
    torch.manual_seed(seed)
    sizes = {"encoder_layers": 1, "decoder_layers": 1, "width": 32, "heads": 2, "feed_forward": 64}
    config = TransformerConfig(**{**sizes, **options})
    made = build_model(config, VOCABULARY).eval()
    with torch.no_grad():
        for parameter in made.parameters():
            if parameter.ndim == 1:
                parameter.add_(torch.randn_like(parameter) * 0.1)
    return round_weights(made, Storage.INT8)


@pytest.fixture(scope="module")
def pairs(request):
    draw = np.random.default_rng(request.config.option.seed)

    def ids(longest):
        return tuple(draw.integers(4, VOCABULARY, draw.integers(1, longest)).tolist())

    # Some are longer than the learned positions reach.
    return [TokenPair(ids(40), ids(30)) for _ in range(12)]


@pytest.fixture(scope="module")
def exported(model):
    """The store of weights, and the graphs in float."""
    store = weight_store(model)
    return store, lower_variant(model, FP32, FloatProjections(), store)


def compared(model, lowered, pairs):
    comparison = Comparison()
    compare_teacher_forced(model, GraphRunner(lowered), pairs, comparison)
    return comparison


def test_float_graphs_equal_the_model(model, exported, pairs):
    comparison = compared(model, exported[1], pairs)
    assert max(comparison.worst.values()) < TOLERANCE
    assert comparison.agreed == comparison.steps == sum(len(pair.target) + 1 for pair in pairs)


def test_portable_graphs_equal_the_model_and_are_standard_onnx(seed, pairs):
    """The other half of the options, in the variant that any provider takes."""
    model = build(SECOND, seed)
    lowered = lower_variant(model, PORTABLE, FloatProjections(), weight_store(model))
    comparison = compared(model, lowered, pairs)
    assert max(comparison.worst.values()) < TOLERANCE
    assert comparison.agreed == comparison.steps
    for name, graph in lowered.graphs.items():
        check_standard(graph, lowered.values, name)


def check_standard(graph, values, name):
    """Hold a graph, its weights put back, against the ONNX specification."""
    parsed = onnx.load_model_from_string(graph.file)
    for initializer in parsed.graph.initializer:
        if initializer.data_location == onnx.TensorProto.EXTERNAL:
            content = onnx.numpy_helper.from_array(values[initializer.name], initializer.name)
            initializer.CopyFrom(content)
    onnx.checker.check_model(parsed, full_check=True)
    assert {opset.domain for opset in parsed.opset_import} == {""}, name
    assert {node.domain for node in every_node(parsed.graph)} <= {""}, name
    assert not parsed.functions
    inferred = onnx.shape_inference.infer_shapes(
        parsed, check_type=True, strict_mode=True, data_prop=True
    )
    known = {value.name for value in inferred.graph.value_info}
    made = {output for node in inferred.graph.node for output in node.output if output}
    assert made - known == {output.name for output in inferred.graph.output} & made


def every_node(graph):
    """Nodes, those in the bodies of loops among them."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                yield from every_node(attribute.g)


@pytest.mark.deep
@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_portable_graphs_of_recurrent_models_are_standard_onnx(cell, pairs, seed):
    torch.manual_seed(seed)
    model = round_weights(
        build_model(RecurrentConfig(width=24, cell=cell), VOCABULARY).eval(), Storage.INT8
    )
    lowered = lower_variant(model, PORTABLE, FloatProjections(), weight_store(model))
    assert max(compared(model, lowered, pairs).worst.values()) < TOLERANCE
    for name, graph in lowered.graphs.items():
        check_standard(graph, lowered.values, name)


def test_graphs_in_bytes_are_near_the_model(model, exported, pairs):
    store, plain = exported
    stored = set(store.tensors)
    projections = Int8Projections(calibrate(model, pairs))
    lowered = lower_variant(model, INT8, projections, store, scorer=plain.graphs["scorer"])
    comparison = compared(model, lowered, pairs)
    assert comparison.worst["log_probs"] < ROUNDING
    assert comparison.agreed / comparison.steps > 0.7
    added = [name for name in set(store.tensors) - stored if store.tensors[name].ndim > 1]
    assert not added, "every matrix in bytes is one that is stored already"
