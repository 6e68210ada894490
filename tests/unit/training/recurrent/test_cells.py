"""Cells against the equations of their papers, torch's modules, and padding."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from ferryman_training.recurrent_cells import CELLS, CellState, initialise, layer_weights

EXACT = {"rtol": 1e-11, "atol": 1e-11}
"""Both sides compute in float64; only the order of sums differs."""
INPUT, WIDTH, LENGTHS = 5, 4, (6, 1, 4, 6, 3)


@pytest.fixture(params=CELLS)
def name(request) -> str:
    return request.param


@pytest.fixture
def cell(name):
    return CELLS[name]


@pytest.fixture
def module(cell) -> nn.RNNBase:
    """Torch's module with random weights, biases included."""
    torch.manual_seed(2)
    module = cell.module(INPUT, WIDTH, batch_first=True).double()
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.6)
    return module


def random_state(name: str, *, batch: int) -> CellState:
    hidden, cell = torch.randn(2, batch, WIDTH, dtype=torch.float64)
    return CellState(torch.tanh(hidden), cell if name == "lstm" else None)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def equations(name, x, h, c, weights):
    """One position of one sentence, block by block, as the papers write it."""
    W, U, b, d = (weight.detach().numpy() for weight in weights)
    if name == "rnn":
        return np.tanh(W @ x + b + U @ h + d), None
    blocks = {"lstm": "ifgo", "gru": "rzn"}[name]
    rows = {block: slice(k * WIDTH, (k + 1) * WIDTH) for k, block in enumerate(blocks)}
    read = {k: W[r] @ x + b[r] for k, r in rows.items()}
    kept = {k: U[r] @ h + d[r] for k, r in rows.items()}
    if name == "gru":
        r, z = (sigmoid(read[k] + kept[k]) for k in "rz")
        return z * h + (1 - z) * np.tanh(read["n"] + r * kept["n"]), None
    i, f, o = (sigmoid(read[k] + kept[k]) for k in "ifo")
    c = f * c + i * np.tanh(read["g"] + kept["g"])
    return o * np.tanh(c), c


def test_a_step_is_the_equations(name, cell, module):
    weights = layer_weights(module, 0)
    state = random_state(name, batch=3)
    x = torch.randn(3, INPUT, dtype=torch.float64)
    projected = x @ weights.input.T + weights.input_bias
    found = cell.advance(projected, state, weights)
    for row in range(3):
        c = None if state.cell is None else state.cell[row].numpy()
        h, c = equations(name, x[row].numpy(), state.hidden[row].numpy(), c, weights)
        np.testing.assert_allclose(found.hidden[row].detach().numpy(), h, **EXACT)
        if c is not None:
            np.testing.assert_allclose(found.cell[row].detach().numpy(), c, **EXACT)


def test_a_scan_is_one_step_after_the_other(name, cell, module):
    weights = layer_weights(module, 0)
    inputs = torch.randn(3, 6, INPUT, dtype=torch.float64)
    state = random_state(name, batch=3)
    outputs, last = cell.scan(inputs, state, weights)
    for t in range(6):
        projected = inputs[:, t] @ weights.input.T + weights.input_bias
        state = cell.advance(projected, state, weights)
        torch.testing.assert_close(outputs[:, t], state.hidden, **EXACT)
    torch.testing.assert_close(last, state, **EXACT)


def packed(module: nn.RNNBase, inputs: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
    """Return outputs, last h and last c of torch's module over packed sequences."""
    sequences = pack_padded_sequence(
        inputs, torch.tensor(LENGTHS), batch_first=True, enforce_sorted=False
    )
    outputs, last = module(sequences)
    hidden, cell = last if isinstance(last, tuple) else (last, None)
    outputs, _ = pad_packed_sequence(outputs, batch_first=True)
    return outputs, hidden[0], None if cell is None else cell[0]


def test_reading_padded_sequences_is_torchs_module_over_packed_ones(cell, module):
    inputs = torch.randn(len(LENGTHS), max(LENGTHS), INPUT, dtype=torch.float64)
    theirs, hidden, memory = packed(module, inputs)
    outputs, last = cell.read(inputs, torch.tensor(LENGTHS), layer_weights(module, 0))
    for row, length in enumerate(LENGTHS):
        torch.testing.assert_close(outputs[row, :length], theirs[row, :length], **EXACT)
    torch.testing.assert_close(last.hidden, hidden, **EXACT)
    if memory is not None:
        torch.testing.assert_close(last.cell, memory, **EXACT)


def test_its_gradients_are_those_of_packed_sequences(cell, module):
    inputs = torch.randn(len(LENGTHS), max(LENGTHS), INPUT, dtype=torch.float64)
    inputs.requires_grad_()

    def gradients(hidden: Tensor, memory: Tensor | None) -> tuple[Tensor, ...]:
        total = (hidden * hidden).sum() + (0 if memory is None else (memory**3).sum())
        return torch.autograd.grad(total, [inputs, *module.parameters()])

    _, hidden, memory = packed(module, inputs)
    _, last = cell.read(inputs, torch.tensor(LENGTHS), layer_weights(module, 0))
    torch.testing.assert_close(gradients(*last), gradients(hidden, memory), **EXACT)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_what_stands_in_padding_changes_no_bit(cell, module, dtype):
    module.to(dtype)
    lengths = torch.tensor(LENGTHS)
    inputs = torch.randn(len(LENGTHS), max(LENGTHS), INPUT).to(dtype)
    hostile = inputs.clone()
    hostile[torch.arange(max(LENGTHS)) >= lengths[:, None]] = 50.0
    outputs, last = cell.read(inputs, lengths, layer_weights(module, 0))
    others, other_last = cell.read(hostile, lengths, layer_weights(module, 0))
    torch.testing.assert_close(last, other_last, rtol=0, atol=0)
    for row, length in enumerate(LENGTHS):
        assert torch.equal(outputs[row, :length], others[row, :length])


def test_bfloat16_is_float64_rounded(cell, module):
    inputs = torch.randn(len(LENGTHS), max(LENGTHS), INPUT).to(torch.bfloat16)
    module.bfloat16().double()  # weights that both have exactly
    _, exact = cell.read(inputs.double(), torch.tensor(LENGTHS), layer_weights(module, 0))
    _, found = cell.read(inputs, torch.tensor(LENGTHS), layer_weights(module.bfloat16(), 0))
    for expected, rounded in zip(exact, found, strict=True):
        if expected is not None:
            assert rounded.dtype == torch.bfloat16
            # bfloat16 keeps 8 bits, and every position rounds state and gates again.
            torch.testing.assert_close(rounded.double(), expected, rtol=0.05, atol=0.05)


def test_initial_weights_are_orthogonal_block_by_block_and_forget_gates_open(name, cell):
    module = cell.module(12, 8, num_layers=2, bidirectional=True)
    torch.manual_seed(1)
    initialise(module)
    for key, parameter in module.named_parameters():
        if key.startswith("weight_hh"):
            for block in parameter.split(8):
                torch.testing.assert_close(block @ block.T, torch.eye(8), atol=1e-5, rtol=0)
        elif key.startswith("weight_ih"):
            columns = parameter.shape[1]
            limit = (6 / (8 + columns)) ** 0.5
            assert 0.8 * limit < parameter.abs().max() <= limit
        else:
            expected = torch.zeros_like(parameter)
            if name == "lstm" and key.startswith("bias_ih"):
                expected[8:16] = 1.0
            assert torch.equal(parameter, expected)


def test_the_same_seed_draws_the_same_weights(cell):
    drawn = []
    for _ in range(2):
        torch.manual_seed(7)
        module = cell.module(6, 6)
        initialise(module)
        drawn.append(list(module.parameters()))
    assert all(torch.equal(a, b) for a, b in zip(*drawn, strict=True))
