"""Recurrent models of every kind: torch step = ONNX step, and the same bits in any company.

Sums in another order move values of size one by some 1e-6. The bound of 1e-5 leaves room for other
CPUs, and is far below what any real fault makes.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools

import numpy as np
import onnx
import pytest
import torch

from ferryman_bundle import StateKind
from ferryman_bundle.manifest import Storage
from ferryman_bundle.tokenizer import BOS
from ferryman_bundle.variant import Part
from ferryman_export.calibration import calibrate
from ferryman_export.greedy import decode_graphs_greedily
from ferryman_export.parity import Comparison, compare_teacher_forced
from ferryman_export.projection import FloatProjections, Int8Projections
from ferryman_export.recipe import FP32, INT8
from ferryman_export.rounding import round_weights
from ferryman_export.runner import GraphRunner
from ferryman_export.variants import lower_variant, weight_store
from ferryman_training.batching import TokenPair
from ferryman_training.decoding import decode_greedily
from ferryman_training.model_config import RecurrentConfig
from ferryman_training.seq2seq import build_model

TOLERANCE = 1e-5
ROUNDING = 0.5
"""Largest difference of a log-probability in bytes, of models of random weights."""
VOCABULARY = 300
WIDTH = 40  # no multiple of what a vector register holds

QUICK = {
    "lstm luong general fed": {"cell": "lstm", "input_feeding": True},
    "gru bahdanau zero untied": {
        "cell": "gru",
        "attention": "bahdanau",
        "bridge": "zero",
        "tied_embeddings": False,
    },
}
SLOWER = {
    "rnn luong dot one way": {"cell": "rnn", "score": "dot", "bidirectional": False},
    "lstm luong concat copied": {"cell": "lstm", "score": "concat", "bridge": "copy"},
    "gru without attention": {"cell": "gru", "attention": "none", "bridge": "copy"},
}
ATTENTIONS = [
    {"attention": "none"},
    {"attention": "bahdanau"},
    *(
        {"score": score, "input_feeding": f}
        for score in ("dot", "general", "concat")
        for f in (0, 1)
    ),
]
DEEP = [
    {"cell": cell, "bidirectional": both, "bridge": bridge, "tied_embeddings": both, **attention}
    for cell, both, bridge, attention in itertools.product(
        ("rnn", "lstm", "gru"), (False, True), ("zero", "copy", "dense"), ATTENTIONS
    )
    if not (bridge == "zero" and attention.get("attention") == "none")
]


def build(settings, seed):
    """A seeded model; vectors are moved off the zeros and ones that they begin with."""
    torch.manual_seed(seed)
    model = build_model(RecurrentConfig(width=WIDTH, **settings), VOCABULARY).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 1:
                parameter.add_(torch.randn_like(parameter) * 0.1)
    return round_weights(model, Storage.INT8)


@pytest.fixture(scope="module")
def exports(request):
    """Models by name, each with its store of weights and its graphs in float, made once."""

    @functools.cache
    def export(name):
        model = build((QUICK | SLOWER)[name], request.config.option.seed)
        store = weight_store(model)
        return model, store, lower_variant(model, FP32, FloatProjections(), store)

    return export


@pytest.fixture(
    scope="module",
    params=[*QUICK, *(pytest.param(name, marks=pytest.mark.deep) for name in SLOWER)],
)
def exported(request, exports):
    model, _, lowered = exports(request.param)
    return model, lowered, lowered.state, GraphRunner(lowered)


@pytest.fixture(
    scope="module",
    params=[
        "lstm luong general fed",
        pytest.param("gru bahdanau zero untied", marks=pytest.mark.deep),
    ],
)
def in_bytes(request, exports, pairs):
    """A model, and its graphs in bytes."""
    model, store, plain = exports(request.param)
    projections = Int8Projections(calibrate(model, pairs))
    return model, lower_variant(model, INT8, projections, store, scorer=plain.graphs["scorer"])


@pytest.fixture(scope="module")
def pairs(request):
    draw = np.random.default_rng(request.config.option.seed)

    def ids(longest):
        return tuple(draw.integers(4, VOCABULARY, draw.integers(1, longest)).tolist())

    return [TokenPair(ids(40), ids(12)) for _ in range(12)]


def compared(model, runner, pairs):
    comparison = Comparison()
    compare_teacher_forced(model, runner, pairs, comparison)
    return comparison


def test_graphs_equal_the_model_at_every_step_in_every_tensor(exported, pairs):
    model, _, state, runner = exported
    comparison = compared(model, runner, pairs)
    names = {tensor.output or tensor.name for tensor in state}
    outputs = {"candidate_log_probs", "log_probs", "token_log_probs"}
    attention = {"attention"} if model.decoder.score else set()
    assert comparison.worst.keys() == names | outputs | attention
    assert max(comparison.worst.values()) < TOLERANCE
    assert comparison.agreed == comparison.steps == sum(len(pair.target) + 1 for pair in pairs)


def test_greedy_search_gives_the_same_ids(exported, pairs):
    model, _, _, runner = exported
    sources = [pair.source for pair in pairs]
    expected = decode_greedily(model, sources)
    found = decode_graphs_greedily(runner, sources, batch_size=5)
    assert [f.ids for f in found] == [e.ids for e in expected]


def test_every_wrong_matrix_is_noticed(exported, pairs):
    model, lowered, _, _ = exported
    for name, tensor in lowered.values.items():
        if tensor.ndim == 1 and (tensor == 0).sum() + np.isinf(tensor).sum() > 0:
            continue  # which tokens may come, and half a bias
        wrong = tensor.copy()
        wrong.flat[::3] += 0.5
        harmed = dataclasses.replace(lowered, values={**lowered.values, name: wrong})
        comparison = compared(model, GraphRunner(harmed), pairs[:6])
        assert max(comparison.worst.values()) > 10 * TOLERANCE, name


def test_graphs_in_bytes_are_near_the_model(in_bytes, pairs):
    model, lowered = in_bytes
    comparison = compared(model, GraphRunner(lowered), pairs)
    assert comparison.worst["log_probs"] < ROUNDING
    assert comparison.agreed / comparison.steps > 0.8


def test_every_product_of_a_step_in_bytes_is_one(in_bytes):
    """Of the matrices, that is; attention multiplies what no calibration knows."""
    _, lowered = in_bytes
    step = onnx.load_model_from_string(lowered.graphs["step"].file).graph
    assert not [node for node in step.node if node.op_type == "Gemm"]
    parts = {place.part for place in lowered.graphs["step"].initializers.values()}
    assert parts == {Part.VALUES, Part.SCALES, Part.FLOATS}
    floats = [
        lowered.values[name].ndim
        for name, place in lowered.graphs["step"].initializers.items()
        if place.part is Part.FLOATS
    ]
    assert set(floats) <= {1}


@pytest.mark.deep
@pytest.mark.parametrize("settings", DEEP, ids=lambda s: " ".join(map(str, s.values())))
def test_every_combination_equals_the_model(settings, pairs, seed):
    model = build(settings, seed)
    lowered = lower_variant(model, FP32, FloatProjections(), weight_store(model))
    comparison = compared(model, GraphRunner(lowered), pairs)
    assert max(comparison.worst.values()) < TOLERANCE


@dataclasses.dataclass(frozen=True)
class Script:
    """A source, and what is fed to its hypotheses step by step."""

    source: tuple
    fed: np.ndarray
    """(steps, W)."""


def play(runner, scripts, *, length=None):
    """Step all scripts together and return what each saw: candidates, all log-probabilities, state.

    Sources are encoded together, padded to `length`, and are rows of one batch from there on.
    """
    width = scripts[0].fed.shape[1]
    state = dict(runner.encode([script.source for script in scripts]))
    for tensor in runner.tensors(StateKind.MEMORY):
        widths = [(0, 0)] * len(tensor.shape)
        at = tensor.length_axis
        widths[at] = (0, max(0, (length or 0) - state[tensor.name].shape[at]))
        padded = np.pad(state[tensor.name], widths, constant_values=tensor.padding)
        state[tensor.name] = padded
    for tensor in runner.tensors(StateKind.RECURRENT):
        state[tensor.name] = state[tensor.name].repeat(width, axis=0)
    seen = [[] for _ in scripts]
    for t in range(len(scripts[0].fed)):
        ids = np.stack([script.fed[t] for script in scripts])
        lengths = np.full(ids.size, t, np.int32)
        full = runner.log_probs(ids, lengths, state)
        log_probs, best, state = runner.step(ids, lengths, state, candidates=3)
        carried = [state[tensor.name] for tensor in runner.tensors(StateKind.RECURRENT)]
        for i in range(len(scripts)):
            mine = slice(i * width, (i + 1) * width)
            seen[i].append([x[mine].tobytes() for x in (full, log_probs, best, *carried)])
    return seen


@pytest.fixture(scope="module")
def scripts(request):
    """32 sources of 1 to 90 tokens with 6 steps of 4 hypotheses each."""
    draw = np.random.default_rng(request.config.option.seed)
    lengths = draw.permutation([1, 2, 7, 8, 9, 15, 16, 17, 63, 64, 90, *draw.integers(3, 40, 21)])
    words = np.arange(4, VOCABULARY)
    made = []
    for length in lengths:
        fed = draw.choice(words, (6, 4))
        fed[0] = BOS
        made.append(Script(tuple(draw.choice(words, length).tolist()), fed))
    return made


def narrowed(scripts, width):
    return [dataclasses.replace(s, fed=np.ascontiguousarray(s.fed[:, :width])) for s in scripts]


def check_company(runner, scripts):
    alone = [play(runner, [script])[0] for script in scripts]
    for company in (2, 7, 32):
        for start in range(0, len(scripts) - company + 1, company):
            found = play(runner, scripts[start : start + company])
            assert found == alone[start : start + company]
    for length in (96, 264):
        assert play(runner, scripts[:8], length=length) == alone[:8]


@pytest.mark.parametrize("width", [1, 4])
def test_company_and_padding_change_no_bit(exported, scripts, width):
    check_company(exported[-1], narrowed(scripts, width))


@pytest.mark.parametrize("width", [1, 4])
def test_company_and_padding_change_no_bit_in_bytes(in_bytes, scripts, width):
    check_company(GraphRunner(in_bytes[1]), narrowed(scripts, width))
