"""Recurrent decoders: without attention, with Luong's, and with Bahdanau's.

Dimension key:
    B: sentences    S: source tokens    T: target tokens    D: width    L: layers
    C: layers of an LSTM, 0 of any other cell
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from ferryman_training.model_config import RecurrentConfig
from ferryman_training.recurrent_attention import SCORES, AdditiveScore, Score, attend
from ferryman_training.recurrent_cells import CELLS, CellState, layer_weights


class Memory(NamedTuple):
    """What the encoder hands to the decoder; what a model does without has a size of 0."""

    hidden: Tensor
    """The decoder's first hidden states, (B, L, D)."""
    cell: Tensor
    """Its first cell states, (B, C, D)."""
    keys: Tensor
    """What attention compares decoder states with, (B, S, D); without attention (B, 0, D)."""
    values: Tensor
    """Outputs of the encoder, (B, S, D); without attention (B, 0, D)."""
    bias: Tensor
    """0 on tokens, minus infinity on padding, (B, S); without attention (B, 0)."""


class State(NamedTuple):
    """What passes from one decoder step to the next; what a model does without has a size of 0."""

    hidden: Tensor
    """Hidden states, (B, L, D)."""
    cell: Tensor
    """Cell states, (B, C, D)."""
    feed: Tensor
    """The attentional vector of the step before, (B, D); without input feeding (B, 0)."""


class Decoded(NamedTuple):
    """What a decoder makes of a stretch of target tokens."""

    hidden: Tensor
    """What the output layer reads, (B, T, D)."""
    weights: Tensor | None
    """Of attention, (B, T, S); None where there is none."""
    state: State
    """After the last token."""


class Decoder(nn.Module, ABC):
    """A stack of recurrent layers that writes the target.

    Args:
        config: Sizes and choices.
        input_width: What the first layer reads, the embedding included.
    """

    score: Score | None
    """None without attention."""

    def __init__(self, config: RecurrentConfig, input_width: int) -> None:
        super().__init__()
        self.layers = config.decoder_layers
        self.width = config.width
        self.feed_width = config.width if config.input_feeding else 0
        self.cell = CELLS[config.cell]
        self.dropout = nn.Dropout(config.dropout)
        self.rnn = self.cell.module(
            input_width, config.width, num_layers=config.decoder_layers, batch_first=True
        )

    @abstractmethod
    def forward(self, embedded: Tensor, memory: Memory, state: State) -> Decoded:
        """Go on with the target.

        Args:
            embedded: A stretch of target tokens, (B, T, D).
            memory: Of the sources.
            state: Before the first of the tokens.
        """

    def _scan(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """Take a stretch through all layers where nothing but the cells looks back.

        Args:
            x: What the first layer reads, (B, T, I).
            state: Before it.

        Returns:
            The top hidden states, (B, T, D), and the state after it.
        """
        states = _by_layer(state)
        for i, before in enumerate(states):
            x = self.dropout(x) if i else x
            x, states[i] = self.cell.scan(x, before, layer_weights(self.rnn, i))
        return x, _stacked(states, state.feed)

    def _project(self, embedded: Tensor) -> Sequence[Tensor]:
        """Return the part of the first layer's input that embeddings are, T times (B, G x D).

        Args:
            embedded: (B, T, D).
        """
        weights = layer_weights(self.rnn, 0)
        part = weights.input[:, : self.width]
        return functional.linear(embedded, part, weights.input_bias).unbind(dim=1)

    def _advance(
        self, projected: Tensor, beside: Tensor, states: Sequence[CellState]
    ) -> list[CellState]:
        """Take one token through all layers.

        Args:
            projected: An element of `_project`.
            beside: What the first layer reads beside the embedding, (B, D).
            states: Of each layer, before the token.
        """
        part = layer_weights(self.rnn, 0).input[:, self.width :]
        projected = projected + functional.linear(beside, part)
        after: list[CellState] = []
        for i, state in enumerate(states):
            weights = layer_weights(self.rnn, i)
            if i:
                x = self.dropout(after[-1].hidden)
                projected = functional.linear(x, weights.input, weights.input_bias)
            after.append(self.cell.advance(projected, state, weights))
        return after


class PlainDecoder(Decoder):
    """Without attention: the source is in the first state, and nowhere else.

    Sutskever et al. 2014, https://arxiv.org/abs/1409.3215, section 2.
    """

    def __init__(self, config: RecurrentConfig) -> None:
        super().__init__(config, config.width)
        self.score = None

    def forward(self, embedded: Tensor, memory: Memory, state: State) -> Decoded:  # noqa: ARG002
        """See `Decoder.forward`."""
        top, state = self._scan(embedded, state)
        return Decoded(self.dropout(top), None, state)


class LuongDecoder(Decoder):
    """Global attention of Luong et al. 2015, https://arxiv.org/abs/1508.04025.

    The cells go first. Their top state looks at the source, and what it sees joins it in the
    attentional vector, tanh(W [c; h]) (equation 5), which the output layer reads and which, with
    input feeding (section 3.3), the next step reads beside its token.
    """

    score: Score

    def __init__(self, config: RecurrentConfig) -> None:
        super().__init__(config, config.width * (2 if config.input_feeding else 1))
        self.score = SCORES[config.score](config.width)
        self.combine = nn.Linear(2 * config.width, config.width, bias=False)

    def forward(self, embedded: Tensor, memory: Memory, state: State) -> Decoded:
        """See `Decoder.forward`."""
        if self.feed_width:
            return self._fed(embedded, memory, state)
        top, state = self._scan(embedded, state)
        attentional, weights = self._look(top, memory)
        return Decoded(self.dropout(attentional), weights, state)

    def _fed(self, embedded: Tensor, memory: Memory, state: State) -> Decoded:
        states, feed = _by_layer(state), state.feed
        vectors: list[Tensor] = []
        rows: list[Tensor] = []
        for projected in self._project(embedded):
            states = self._advance(projected, feed, states)
            attentional, weights = self._look(states[-1].hidden[:, None], memory)
            feed = attentional[:, 0]
            vectors.append(feed)
            rows.append(weights)
        hidden = self.dropout(torch.stack(vectors, dim=1))
        return Decoded(hidden, torch.cat(rows, dim=1), _stacked(states, feed))

    def _look(self, top: Tensor, memory: Memory) -> tuple[Tensor, Tensor]:
        """Return the attentional vectors of top states, both (B, T, D), and weights (B, T, S)."""
        context, weights = attend(self.score(top, memory.keys), memory.values, memory.bias)
        return torch.tanh(self.combine(torch.cat([context, top], dim=-1))), weights


class BahdanauDecoder(Decoder):
    """Bahdanau et al. 2015, https://arxiv.org/abs/1409.0473, section 3.1 and appendix A.2.2.

    Every step looks at the source before its cells, with the top state of the step before, and
    the first cell reads what it sees beside the token. The output layer reads g(y, s, c) (equation
    4), which here is tanh(W [s; c; y]) and not the paper's maxout.
    """

    score: AdditiveScore

    def __init__(self, config: RecurrentConfig) -> None:
        super().__init__(config, 2 * config.width)
        self.score = AdditiveScore(config.width)
        self.readout = nn.Linear(3 * config.width, config.width)

    def forward(self, embedded: Tensor, memory: Memory, state: State) -> Decoded:
        """See `Decoder.forward`."""
        states = _by_layer(state)
        tops: list[Tensor] = []
        contexts: list[Tensor] = []
        rows: list[Tensor] = []
        for projected in self._project(embedded):
            scores = self.score(states[-1].hidden[:, None], memory.keys)
            context, weights = attend(scores, memory.values, memory.bias)
            states = self._advance(projected, context[:, 0], states)
            tops.append(states[-1].hidden)
            contexts.append(context)
            rows.append(weights)
        seen = torch.cat([torch.stack(tops, dim=1), torch.cat(contexts, dim=1), embedded], dim=-1)
        hidden = self.dropout(torch.tanh(self.readout(seen)))
        return Decoded(hidden, torch.cat(rows, dim=1), _stacked(states, state.feed))


DECODERS: dict[str, type[PlainDecoder | LuongDecoder | BahdanauDecoder]] = {
    "none": PlainDecoder,
    "luong": LuongDecoder,
    "bahdanau": BahdanauDecoder,
}
"""By the name of their attention in a config."""


def _by_layer(state: State) -> list[CellState]:
    """Return the states of the layers, first to last."""
    hidden, cells = state.hidden.unbind(dim=1), state.cell.unbind(dim=1)
    return [CellState(h, cells[i] if cells else None) for i, h in enumerate(hidden)]


def _stacked(states: Sequence[CellState], feed: Tensor) -> State:
    """Return the state of the decoder from those of its layers."""
    hidden = torch.stack([state.hidden for state in states], dim=1)
    cells = [state.cell for state in states if state.cell is not None]
    return State(hidden, torch.stack(cells, dim=1) if cells else hidden[:, :0], feed)
