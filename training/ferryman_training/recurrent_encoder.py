"""The recurrent encoder, and the bridge from its last states to the decoder's first ones.

Dimension key:
    B: sentences    S: source tokens    D: width    L: layers
    C: layers of an LSTM, 0 of any other cell
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from ferryman_training.model_config import RecurrentConfig
from ferryman_training.recurrent_cells import CELLS, CellState, layer_weights


class Encoded(NamedTuple):
    """What the encoder makes of sources."""

    outputs: Tensor
    """Top hidden states of every position, both directions side by side, (B, S, D)."""
    hidden: Tensor
    """Last hidden states, both directions side by side, (B, L, D)."""
    cell: Tensor
    """Last cell states, (B, C, D)."""


class RecurrentEncoder(nn.Module):
    """A stack of recurrent layers that reads the source in one direction or both.

    The backward direction begins at the last token (Schuster and Paliwal 1997,
    https://doi.org/10.1109/78.650093); each layer reads both directions of the one below.
    """

    def __init__(self, config: RecurrentConfig) -> None:
        super().__init__()
        self.directions = 2 if config.bidirectional else 1
        self.layers = config.encoder_layers
        self.cell = CELLS[config.cell]
        self.dropout = config.dropout
        self.rnn = self.cell.module(
            config.width,
            config.width // self.directions,
            num_layers=config.encoder_layers,
            bidirectional=config.bidirectional,
            batch_first=True,
        )

    def forward(self, embedded: Tensor, lengths: Tensor) -> Encoded:
        """Read sources.

        Args:
            embedded: (B, S, D).
            lengths: Tokens of each source, (B,).
        """
        order = _reversal(lengths, embedded.shape[1])
        x = embedded
        last: list[CellState] = []
        for layer in range(self.layers):
            if layer:
                x = functional.dropout(x, self.dropout, self.training)
            parts = []
            for direction in range(self.directions):
                weights = layer_weights(self.rnn, layer, direction=direction)
                inputs = _reorder(x, order) if direction else x
                outputs, state = self.cell.read(inputs, lengths, weights)
                parts.append(_reorder(outputs, order) if direction else outputs)
                last.append(state)
            x = torch.cat(parts, dim=-1)
        hidden = torch.stack([state.hidden for state in last], dim=1)
        cells = [state.cell for state in last if state.cell is not None]
        cell = torch.stack(cells, dim=1) if cells else hidden[:, :0]
        width = embedded.shape[-1]
        return Encoded(x, *(part.reshape(len(part), -1, width) for part in (hidden, cell)))


def _reversal(lengths: Tensor, length: int) -> Tensor:
    """Return where each position is read from to reverse the tokens and leave padding, (B x S,)."""
    position = torch.arange(length, device=lengths.device)
    end = lengths[:, None]
    mirrored = torch.where(position < end, end - 1 - position, position)
    rows = torch.arange(len(lengths), device=lengths.device)[:, None]
    return (rows * length + mirrored).flatten()


def _reorder(x: Tensor, order: Tensor) -> Tensor:
    """Take the positions of a batch in another order, (B, S, D) -> (B, S, D)."""
    return x.flatten(0, 1).index_select(0, order).view_as(x)


class Bridge(nn.Module, ABC):
    """From the last states of the encoder to the first ones of the decoder."""

    def __init__(self, config: RecurrentConfig) -> None:
        super().__init__()
        self.layers = config.decoder_layers
        self.cell_layers = config.decoder_layers if config.cell == "lstm" else 0
        self.width = config.width

    @abstractmethod
    def forward(self, encoded: Encoded) -> tuple[Tensor, Tensor]:
        """Return the first hidden states, (B, L, D), and cell states, (B, C, D)."""


class ZeroBridge(Bridge):
    """The decoder begins with zeros, and has the source from attention alone."""

    def forward(self, encoded: Encoded) -> tuple[Tensor, Tensor]:
        """See `Bridge.forward`."""
        zeros = encoded.hidden.new_zeros(encoded.hidden.shape[0], self.layers, self.width)
        return zeros, zeros[:, : self.cell_layers]


class CopyBridge(Bridge):
    """Each layer of the decoder begins as its counterpart ended.

    Sutskever et al. 2014, https://arxiv.org/abs/1409.3215, section 2.
    """

    def forward(self, encoded: Encoded) -> tuple[Tensor, Tensor]:
        """See `Bridge.forward`."""
        return encoded.hidden, encoded.cell


class DenseBridge(Bridge):
    """Each layer of the decoder begins as tanh(W h), of the encoder's top layer.

    Bahdanau et al. 2015, https://arxiv.org/abs/1409.0473, section A.2.2, which takes the backward
    direction alone. The cell state of an LSTM, which is not bounded, has a W of its own, no tanh.
    """

    def __init__(self, config: RecurrentConfig) -> None:
        super().__init__(config)
        self.hidden = nn.Linear(config.width, config.decoder_layers * config.width)
        self.cell: nn.Linear | None = None
        if config.cell == "lstm":
            self.cell = nn.Linear(config.width, config.decoder_layers * config.width)

    def forward(self, encoded: Encoded) -> tuple[Tensor, Tensor]:
        """See `Bridge.forward`."""
        shape = (-1, self.layers, self.width)
        hidden = torch.tanh(self.hidden(encoded.hidden[:, -1])).view(shape)
        if self.cell is None:
            return hidden, hidden[:, :0]
        return hidden, self.cell(encoded.cell[:, -1]).view(shape)


BRIDGES: dict[str, type[Bridge]] = {"zero": ZeroBridge, "copy": CopyBridge, "dense": DenseBridge}
"""By their names in a config."""
