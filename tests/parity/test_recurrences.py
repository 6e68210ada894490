"""Recurrent layers in graphs equal torch's, and a source gets the same bits in any company.

The bound of 1e-6 is what sums in another order make of values below one; packed sequences in torch
are the reference, which never see padding.
"""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from ferryman_bundle.manifest import Storage
from ferryman_export.interface import Port
from ferryman_export.lowering import lower
from ferryman_export.projection import FloatProjections
from ferryman_export.recurrences import CellStep, SourceLayer
from ferryman_export.weight_store import WeightStore

TOLERANCE = 1e-6
WIDTH, UNITS = 24, 20  # no multiple of what a vector register holds
CELLS = [nn.LSTM, nn.GRU, nn.RNN]


class Layers(nn.Module):
    """All layers of a stack over whole sources, as a graph of their own."""

    def __init__(self, stack):
        super().__init__()
        self.layers = nn.ModuleList(SourceLayer(stack, i) for i in range(stack.num_layers))
        self.directions = 2 if stack.bidirectional else 1
        self.states = 2 if stack.mode == "LSTM" else 1

    def inputs(self):
        shape = ("source_length", "sources", WIDTH)
        return [Port("x", torch.float32, shape), Port("lengths", torch.int32, ("sources",))]

    def outputs(self):
        shape = ("source_length", "sources", self.directions * UNITS)
        last = (self.directions, "sources", UNITS)
        names = [f"{i}.{k}" for i in range(len(self.layers)) for k in range(self.states)]
        return [Port("y", torch.float32, shape), *(Port(n, torch.float32, last) for n in names)]

    def arguments(self, values):
        return tuple(values)

    def forward(self, x, lengths):
        mask = (torch.arange(x.shape[0])[:, None] < lengths)[:, :, None]
        states = []
        for layer in self.layers:
            x, last = layer(x, lengths, mask)
            states += last
        return (x, *states)


@pytest.fixture(
    scope="module",
    params=[(cell, bidirectional) for cell in CELLS for bidirectional in (False, True)],
    ids=lambda param: f"{param[0].__name__}{' both ways' if param[1] else ''}",
)
def stack(request):
    cell, bidirectional = request.param
    torch.manual_seed(request.config.option.seed)
    return cell(WIDTH, UNITS, num_layers=2, bidirectional=bidirectional)


@pytest.fixture(scope="module")
def lowered(stack):
    store = WeightStore()
    return lower({"layers": Layers(stack)}, store, opset=20)["layers"], store


@pytest.fixture(scope="module")
def run(lowered):
    """Run the graph over sources, each (tokens, WIDTH), and cut each result to its length."""
    graph, store = lowered
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    weights = store.values(Storage.FLOAT32)
    values = [
        onnxruntime.OrtValue.ortvalue_from_numpy(weights.values(place))
        for place in graph.initializers.values()
    ]
    options.add_external_initializers(list(graph.initializers), values)
    session = onnxruntime.InferenceSession(graph.file, options, providers=["CPUExecutionProvider"])

    def run(sources, padding=8):
        lengths = np.array([len(source) for source in sources], np.int32)
        x = np.full((-(-lengths.max() // padding) * padding, len(sources), WIDTH), 9.0, np.float32)
        for row, source in enumerate(sources):
            x[: len(source), row] = source
        y, *states = session.run(None, {"x": x, "lengths": lengths})
        return [
            (y[: len(source), row], *(state[:, row] for state in states))
            for row, source in enumerate(sources)
        ]

    return run


@pytest.fixture(scope="module")
def sources(request):
    draw = np.random.default_rng(request.config.option.seed)
    lengths = [1, 2, 7, 8, 9, 16, 17, 40, *draw.integers(3, 30, 24)]
    return [draw.normal(size=(n, WIDTH)).astype(np.float32) for n in draw.permutation(lengths)]


@torch.no_grad()
def test_padded_sources_equal_packed_sequences(stack, run, sources):
    padded = nn.utils.rnn.pad_sequence([torch.from_numpy(source) for source in sources])
    lengths = torch.tensor([len(source) for source in sources])
    packed, last = stack(pack_padded_sequence(padded, lengths, enforce_sorted=False))
    expected, _ = pad_packed_sequence(packed)
    last = last if isinstance(last, tuple) else (last,)
    last = [state.view(stack.num_layers, -1, len(sources), UNITS) for state in last]
    for row, (y, *states) in enumerate(run(sources)):
        np.testing.assert_allclose(y, expected[: len(y), row], atol=TOLERANCE, rtol=0)
        ordered = [state[layer, :, row] for layer in range(2) for state in last]
        for found, wanted in zip(states, ordered, strict=True):
            np.testing.assert_allclose(found, wanted, atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize("company", [2, 3, 7, 32])
def test_company_and_padding_change_no_bit(run, sources, company):
    alone = [run([source])[0] for source in sources]
    for start in range(0, len(sources) - company + 1, company):
        together = run(sources[start : start + company], padding=8 if start % 2 else 64)
        for expected, found in zip(alone[start:], together, strict=False):
            assert [tensor.tobytes() for tensor in found] == [t.tobytes() for t in expected]


def test_weights_leave_the_graph_as_matrices(lowered, stack):
    """Else they could not be stored as bytes."""
    graph, store = lowered
    assert all(tensor.ndim <= 2 for tensor in store.tensors.values())
    stored = sum(tensor.size for tensor in store.tensors.values())
    assert stored >= sum(
        parameter.numel() for parameter in stack.parameters() if parameter.ndim == 2
    )
    assert len(graph.file) < 40_000


def test_lstm_and_gru_are_operators_and_elman_s_cell_is_a_loop(lowered, stack):
    graph = onnx.load_model_from_string(lowered[0].file).graph
    found = [n.op_type for n in graph.node if n.op_type in {"LSTM", "GRU", "RNN", "Scan"}]
    directions = 2 if stack.bidirectional else 1
    expected = ["Scan"] * 2 * directions if stack.mode == "RNN_TANH" else [stack.mode] * 2
    assert found == expected


@torch.no_grad()
@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.__name__)
def test_a_step_equals_torch_s(cell, seed):
    torch.manual_seed(seed)
    stack = cell(WIDTH, UNITS, num_layers=2)
    for parameter in stack.parameters():
        parameter.uniform_(-0.5, 0.5)
    steps = [CellStep(stack, layer, FloatProjections(), f"{layer}") for layer in range(2)]
    x = torch.randn(9, 3, WIDTH)
    expected, _ = stack(x)
    zeros = torch.zeros(3, UNITS)
    states = [(zeros, zeros) if cell is nn.LSTM else (zeros,) for _ in steps]
    for t in range(len(x)):
        y = x[t]
        for layer, step in enumerate(steps):
            states[layer] = step(step.input(y), states[layer])
            y = states[layer][0]
        torch.testing.assert_close(y, expected[t], atol=TOLERANCE, rtol=0)
