"""Recurrent layers as graphs have them: over whole sources, and one step at a time.

Over whole sources, LSTM and GRU are ONNX's own operators, which ONNX Runtime computes 1.1 to 8
times as fast as a loop of single steps. Elman's cell is such a loop: the operator ``RNN`` gives a
source other bits when it is alone, and differs from torch by more than 1e-6.

Dimension key:
    B: sources    S: source tokens    R: hypotheses    D: input width    N: directions
    G: gates    U: units
"""

from __future__ import annotations

from typing import Final, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch._higher_order_ops.scan import scan
from torch.nn import functional

from ferryman_export.operators import recurrence

_ONNX_GATES: Final = {"LSTM": (0, 3, 1, 2), "GRU": (1, 0, 2)}
"""Which gate of torch each gate of ONNX is. torch has input, forget, cell, output and reset,
update, new; ONNX has input, output, forget, cell and update, reset, hidden."""


class _Parameters(NamedTuple):
    """What torch holds for one layer and one direction."""

    input_weight: Tensor
    """(G x U, D)."""
    state_weight: Tensor
    """(G x U, U)."""
    input_bias: Tensor
    """(G x U,)."""
    state_bias: Tensor
    """(G x U,)."""


class CellStep(nn.Module):
    """One step of one layer: what `torch.nn.LSTM`, `GRU` and `RNN` do at every position.

    Args:
        stack: The trained module.
        layer: Which of its layers.
        reverse: Whether it is the part of a bidirectional layer that reads from the end.
    """

    input_bias: Tensor
    """Of input and state together, (G x U,); but for the new gate of a GRU, whose reset gate
    multiplies the state's bias."""
    state_bias: Tensor
    """What is left for that gate, with zeros for the others, (G x U,); a GRU has it."""

    def __init__(self, stack: nn.RNNBase, layer: int, *, reverse: bool = False) -> None:
        super().__init__()
        held = _parameters(stack, layer, reverse=reverse)
        self.mode = stack.mode
        self.input_weight = nn.Parameter(held.input_weight)
        self.state_weight = nn.Parameter(held.state_weight)
        merged = held.state_bias.clone()
        if self.mode == "GRU":
            merged[2 * stack.hidden_size :] = 0
            self.register_buffer("state_bias", held.state_bias - merged)
        self.register_buffer("input_bias", held.input_bias + merged)

    def project(self, x: Tensor) -> Tensor:
        """The share of the input in the gates, (R, D) -> (R, G x U)."""
        return functional.linear(x, self.input_weight, self.input_bias)

    def forward(self, projected: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Return the state after one step.

        Args:
            projected: What `project` made of the input, (R, G x U).
            state: Hidden, and cell of an LSTM, (R, U) each.

        Returns:
            As `state`.
        """
        if self.mode == "LSTM":
            return self._lstm(projected, *state)
        if self.mode == "GRU":
            return self._gru(projected, *state)
        (hidden,) = state
        return (torch.tanh(torch.addmm(projected, hidden, self.state_weight.t())),)

    def _lstm(self, projected: Tensor, hidden: Tensor, cell: Tensor) -> tuple[Tensor, ...]:
        gates = torch.addmm(projected, hidden, self.state_weight.t())
        admit, keep, new, show = gates.chunk(4, dim=-1)
        cell = torch.sigmoid(keep) * cell + torch.sigmoid(admit) * torch.tanh(new)
        return torch.sigmoid(show) * torch.tanh(cell), cell

    def _gru(self, projected: Tensor, hidden: Tensor) -> tuple[Tensor, ...]:
        of_state = functional.linear(hidden, self.state_weight, self.state_bias)
        reset, update, new = projected.chunk(3, dim=-1)
        state_reset, state_update, state_new = of_state.chunk(3, dim=-1)
        new = torch.tanh(new + torch.sigmoid(reset + state_reset) * state_new)
        return (new + torch.sigmoid(update + state_update) * (hidden - new),)


class SourceLayer(nn.Module):
    """One layer over whole sources, in one direction or both.

    Args:
        stack: The trained module.
        layer: Which of its layers.
    """

    input_weight: Tensor
    """(N, G x U, D)."""
    state_weight: Tensor
    """(N, G x U, U)."""
    bias: Tensor
    """(N, 2 x G x U)."""

    def __init__(self, stack: nn.RNNBase, layer: int) -> None:
        super().__init__()
        self.mode = stack.mode
        self.units = stack.hidden_size
        sides = (False, True) if stack.bidirectional else (False,)
        if self.mode == "RNN_TANH":
            self.cells = nn.ModuleList(CellStep(stack, layer, reverse=side) for side in sides)
            return
        held = [_parameters(stack, layer, reverse=side) for side in sides]
        ordered = [_Parameters(*(self._onnx_order(p) for p in side)) for side in held]
        self.register_buffer("input_weight", torch.stack([side.input_weight for side in ordered]))
        self.register_buffer("state_weight", torch.stack([side.state_weight for side in ordered]))
        biases = [torch.cat([side.input_bias, side.state_bias]) for side in ordered]
        self.register_buffer("bias", torch.stack(biases))

    def _onnx_order(self, parameter: Tensor) -> Tensor:
        gates = torch.split(parameter, self.units)
        return torch.cat([gates[gate] for gate in _ONNX_GATES[self.mode]])

    def forward(
        self, x: Tensor, lengths: Tensor, mask: Tensor
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Read whole sources.

        Args:
            x: (S, B, D).
            lengths: Tokens of each source, int32 (B,).
            mask: True on tokens, (S, B, 1).

        Returns:
            Outputs (S, B, N x U), finite on padding, and the last states, (N, B, U) each.
        """
        if self.mode == "RNN_TANH":
            return self._loop(x, mask)
        length, batch, _ = x.shape
        weights = (self.input_weight, self.state_weight, self.bias)
        outputs, *last = recurrence(self.mode, x, weights, lengths)
        return outputs.transpose(1, 2).reshape(length, batch, -1), tuple(last)

    def _loop(self, x: Tensor, mask: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Read step by step; on padding the state stays, so either direction may begin there."""
        length, batch, width = x.shape
        outputs, last = [], []
        for side, module in enumerate(self.cells):
            cell = cast("CellStep", module)
            projected = cell.project(x.reshape(length * batch, width)).view(length, batch, -1)

            def step(
                state: Tensor, at: tuple[Tensor, Tensor], cell: CellStep = cell
            ) -> tuple[Tensor, Tensor]:
                (hidden,) = cell(at[0], (state,))
                hidden = torch.where(at[1], hidden, state)
                # The operator wants its two results to be two tensors.
                return hidden, hidden.clone()

            first = x.new_zeros(batch, self.units)
            hidden, output = scan(step, first, (projected, mask), reverse=bool(side))
            outputs.append(output)
            last.append(hidden)
        return torch.cat(outputs, dim=-1), (torch.stack(last),)


def _parameters(stack: nn.RNNBase, layer: int, *, reverse: bool) -> _Parameters:
    suffix = f"l{layer}_reverse" if reverse else f"l{layer}"
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    held = (cast("Tensor", getattr(stack, f"{name}_{suffix}")) for name in names)
    return _Parameters(*(parameter.detach() for parameter in held))
