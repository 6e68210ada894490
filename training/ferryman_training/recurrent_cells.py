"""Recurrent cells: Elman's, the LSTM and the GRU, over whole sequences and one step at a time.

The weights are in the layout of torch.nn.RNN, LSTM and GRU, and whole sequences go through the
fused routines behind those modules. Steps that depend on more than the step before, as attention
makes them, are the equations written out.

Dimension key:
    B: sentences    T: positions    I: input width    D: hidden width
    G: blocks of rows in the weights, 1 (Elman), 4 (LSTM) or 3 (GRU)
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Final, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

_CLOSED: Final = 1e4
"""Added to the argument of a sigmoid: enough for exactly 0 or 1 in every precision."""
_FLAG_COLUMNS: Final = 8
"""One flag, and zeros that keep the width of bfloat16 inputs a multiple of 8: 2 times as fast."""


class CellState(NamedTuple):
    """What a cell carries from one position to the next."""

    hidden: Tensor
    """h, (B, D)."""
    cell: Tensor | None
    """c of an LSTM, (B, D); None in the others."""


class CellWeights(NamedTuple):
    """The weights of one layer in one direction."""

    input: Tensor
    """(G x D, I)."""
    recurrent: Tensor
    """(G x D, D)."""
    input_bias: Tensor
    """(G x D,)."""
    recurrent_bias: Tensor
    """(G x D,)."""


def layer_weights(module: nn.RNNBase, layer: int, *, direction: int = 0) -> CellWeights:
    """Return the weights of one layer.

    Args:
        module: An `nn.RNN`, `nn.LSTM` or `nn.GRU`.
        layer: From 0, the one that reads the input.
        direction: 0 forwards, 1 backwards.
    """
    end = f"_l{layer}{'_reverse' if direction else ''}"
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    return CellWeights(*(getattr(module, name + end) for name in names))


class Cell(ABC):
    """The equations of a cell; weights are arguments."""

    module: type[nn.RNN | nn.LSTM | nn.GRU]
    """What holds such weights."""
    blocks: int
    """G."""

    @abstractmethod
    def scan(
        self, inputs: Tensor, state: CellState, weights: CellWeights
    ) -> tuple[Tensor, CellState]:
        """Go through whole sequences.

        Args:
            inputs: (B, T, I).
            state: Before the first position.
            weights: Of the layer.

        Returns:
            The hidden states, (B, T, D), and the state after the last position.
        """

    @abstractmethod
    def advance(self, projected: Tensor, state: CellState, weights: CellWeights) -> CellState:
        """Go one position further.

        Args:
            projected: The input times its weights plus its bias, (B, G x D).
            state: Before the position.
            weights: Of the layer; those of the input are not used.
        """

    def zero_state(self, like: Tensor, width: int) -> CellState:
        """Return zeros for as many sentences as `like` has, in its precision."""
        return CellState(like.new_zeros(like.shape[0], width), None)

    def read(
        self, inputs: Tensor, lengths: Tensor, weights: CellWeights
    ) -> tuple[Tensor, CellState]:
        """Go through padded sequences, from zeros.

        Args:
            inputs: (B, T, I).
            lengths: Positions that are no padding, all before those that are, (B,).
            weights: Of the layer.

        Returns:
            The hidden states, (B, T, D), those of padding without meaning; and the state after
            the last position that is no padding.
        """
        first = self.zero_state(inputs, weights.recurrent.shape[1])
        outputs, last = self.scan(inputs, first, weights)
        rows = torch.arange(inputs.shape[0], device=inputs.device)
        return outputs, CellState(outputs[rows, lengths - 1], last.cell)


class ElmanCell(Cell):
    """h' = tanh(W x + b + U h + d).

    Elman 1990, https://doi.org/10.1207/s15516709cog1402_1, with tanh for the logistic function.
    """

    module = nn.RNN
    blocks = 1

    def scan(
        self, inputs: Tensor, state: CellState, weights: CellWeights
    ) -> tuple[Tensor, CellState]:
        """See `Cell.scan`."""
        outputs, hidden = torch.rnn_tanh(
            inputs, state.hidden[None], list(weights), True, 1, 0.0, _saving(), False, True
        )
        return outputs, CellState(hidden[0], None)

    def advance(self, projected: Tensor, state: CellState, weights: CellWeights) -> CellState:
        """See `Cell.advance`."""
        recurrent = functional.linear(state.hidden, weights.recurrent, weights.recurrent_bias)
        return CellState(torch.tanh(projected + recurrent), None)


class LSTMCell(Cell):
    """Input, forget and output gate i, f, o, candidate g: c' = f c + i g, h' = o tanh(c').

    Hochreiter and Schmidhuber 1997, https://doi.org/10.1162/neco.1997.9.8.1735, with the forget
    gate of Gers et al. 2000, https://doi.org/10.1162/089976600300015015. The rows of the weights
    are those of i, f, g and o.
    """

    module = nn.LSTM
    blocks = 4

    def zero_state(self, like: Tensor, width: int) -> CellState:
        """See `Cell.zero_state`."""
        zeros = like.new_zeros(like.shape[0], width)
        return CellState(zeros, zeros)

    def scan(
        self, inputs: Tensor, state: CellState, weights: CellWeights
    ) -> tuple[Tensor, CellState]:
        """See `Cell.scan`."""
        assert state.cell is not None
        first = [state.hidden[None], state.cell[None]]
        outputs, hidden, cell = torch.lstm(
            inputs, first, list(weights), True, 1, 0.0, _saving(), False, True
        )
        return outputs, CellState(hidden[0], cell[0])

    def advance(self, projected: Tensor, state: CellState, weights: CellWeights) -> CellState:
        """See `Cell.advance`."""
        assert state.cell is not None
        recurrent = functional.linear(state.hidden, weights.recurrent, weights.recurrent_bias)
        i, f, g, o = (projected + recurrent).chunk(4, dim=-1)
        cell = torch.sigmoid(f) * state.cell + torch.sigmoid(i) * torch.tanh(g)
        return CellState(torch.sigmoid(o) * torch.tanh(cell), cell)

    def read(
        self, inputs: Tensor, lengths: Tensor, weights: CellWeights
    ) -> tuple[Tensor, CellState]:
        """See `Cell.read`.

        The fused routine returns c after the last position only, padding included, and packed
        sequences take it 2 to 3 times as long. So padding raises a flag, an input of its own whose
        weights shut i and open f: c stays to the bit what it was after the last token.
        """
        position = torch.arange(inputs.shape[1], device=inputs.device)
        flags = inputs.new_zeros(*inputs.shape[:2], _FLAG_COLUMNS)
        flags[..., 0] = position >= lengths[:, None]
        columns = weights.input.new_zeros(weights.input.shape[0], _FLAG_COLUMNS)
        width = weights.recurrent.shape[1]
        columns[:width, 0], columns[width : 2 * width, 0] = -_CLOSED, _CLOSED
        return super().read(
            torch.cat([inputs, flags], dim=-1),
            lengths,
            weights._replace(input=torch.cat([weights.input, columns], dim=-1)),
        )


class GRUCell(Cell):
    """Reset and update gate r, z, candidate n = tanh(W x + b + r (U h + d)): h' = (1-z) n + z h.

    Cho et al. 2014, https://arxiv.org/abs/1406.1078, equations 5 to 8, but the reset gate comes
    after the product with U, as in cuDNN and ONNX (linear_before_reset), which lets all products
    be one. The rows of the weights are those of r, z and n.
    """

    module = nn.GRU
    blocks = 3

    def scan(
        self, inputs: Tensor, state: CellState, weights: CellWeights
    ) -> tuple[Tensor, CellState]:
        """See `Cell.scan`."""
        outputs, hidden = torch.gru(
            inputs, state.hidden[None], list(weights), True, 1, 0.0, _saving(), False, True
        )
        return outputs, CellState(hidden[0], None)

    def advance(self, projected: Tensor, state: CellState, weights: CellWeights) -> CellState:
        """See `Cell.advance`."""
        recurrent = functional.linear(state.hidden, weights.recurrent, weights.recurrent_bias)
        r, z, n = projected.chunk(3, dim=-1)
        recurrent_r, recurrent_z, recurrent_n = recurrent.chunk(3, dim=-1)
        z = torch.sigmoid(z + recurrent_z)
        n = torch.tanh(n + torch.sigmoid(r + recurrent_r) * recurrent_n)
        return CellState(n + z * (state.hidden - n), None)


CELLS: Final[dict[str, Cell]] = {"rnn": ElmanCell(), "lstm": LSTMCell(), "gru": GRUCell()}
"""By their names in a config."""


def _saving() -> bool:
    """Return whether a fused routine has to save what the backward pass needs."""
    return torch.is_grad_enabled()


def initialise(module: nn.RNNBase) -> None:
    """Draw the weights of a recurrent module, block by block.

    Matrices of the input are Glorot uniform (Glorot and Bengio 2010), recurrent ones orthogonal
    (Saxe et al. 2014, https://arxiv.org/abs/1312.6120), biases zero. The forget gate of an LSTM
    begins open, with a bias of 1 (Jozefowicz et al. 2015,
    https://proceedings.mlr.press/v37/jozefowicz15.html).
    """
    width = module.hidden_size
    for name, parameter in module.named_parameters():
        if name.startswith("bias"):
            nn.init.zeros_(parameter)
            if isinstance(module, nn.LSTM) and name.startswith("bias_ih"):
                nn.init.ones_(parameter[width : 2 * width])
            continue
        for block in torch.split(parameter, width):
            if name.startswith("weight_hh"):
                nn.init.orthogonal_(block)
            else:
                nn.init.xavier_uniform_(block)
