"""One step of a recurrent decoder, for many hypotheses at once.

The modules hold the submodules of the trained model. Every product with a constant matrix is one
Gemm over (hypotheses, D), whose rows do not depend on each other; the hypotheses of one source are
the query axis of attention, so a beam shares its source's memory instead of having copies.

Dimension key:
    B: sources    S: source tokens, a multiple of 8    W: hypotheses per source    R: B x W
    D: width    L: decoder layers
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from ferryman_export.recurrences import CellStep
from ferryman_training.recurrent import Recurrent
from ferryman_training.recurrent_attention import AdditiveScore, Score
from ferryman_training.recurrent_decoders import BahdanauDecoder, LuongDecoder, PlainDecoder

LayerState = tuple[Tensor, ...]
"""Hidden, and cell of an LSTM, (R, D) each."""


class SourceMemory(NamedTuple):
    """What a step reads of the sources."""

    keys: Tensor
    """As the comparison wants them: see `Comparison.keys`."""
    values: Tensor
    """Outputs of the encoder, (B, S, D)."""
    bias: Tensor
    """0 on tokens, minus infinity on padding, (B, 1, S)."""


class Stepped(NamedTuple):
    """What a step makes of its tokens."""

    hidden: Tensor
    """What the output layer reads, (R, D)."""
    states: list[LayerState]
    """Of every layer, after the step."""
    feed: Tensor | None
    """What input feeding feeds to the next step, (R, D); None without it."""
    weights: Tensor | None
    """Of attention, (R, S); None without it."""


class Comparison(nn.Module, ABC):
    """How a step compares its queries with the source."""

    @abstractmethod
    def keys(self, outputs: Tensor) -> Tensor:
        """Return what of the source is the same at every step.

        Args:
            outputs: Of the encoder, (S, B, D).
        """

    @abstractmethod
    def forward(self, queries: Tensor, keys: Tensor) -> Tensor:
        """Return the scores, (B, W, S).

        Args:
            queries: States of the decoder, (B, W, D).
            keys: From `keys`.
        """


class Product(Comparison):
    """Luong's ``dot`` and ``general``: keys are (B, D, S), so that no step transposes them."""

    def __init__(self, score: Score) -> None:
        super().__init__()
        self.score = score

    def keys(self, outputs: Tensor) -> Tensor:
        """(S, B, D) -> (B, D, S)."""
        length, batch, width = outputs.shape
        keys = self.score.keys(outputs.reshape(length * batch, width))
        return keys.view(length, batch, width).permute(1, 2, 0)

    def forward(self, queries: Tensor, keys: Tensor) -> Tensor:
        """See `Comparison.forward`."""
        return queries @ keys


class Addition(Comparison):
    """Bahdanau's score, and Luong's ``concat``: v·tanh(W h + U s), with keys (B, S, D)."""

    def __init__(self, score: AdditiveScore) -> None:
        super().__init__()
        self.score = score

    def keys(self, outputs: Tensor) -> Tensor:
        """(S, B, D) -> (B, S, D)."""
        length, batch, width = outputs.shape
        keys = self.score.keys(outputs.reshape(length * batch, width))
        return keys.view(length, batch, width).transpose(0, 1)

    def forward(self, queries: Tensor, keys: Tensor) -> Tensor:
        """See `Comparison.forward`."""
        fits = torch.tanh(self.score.query(queries)[:, :, None] + keys[:, None])  # (B, W, S, D)
        scores: Tensor = self.score.energy(fits)
        return scores.squeeze(-1)


class DecoderStep(nn.Module, ABC):
    """One token through the layers of a decoder.

    Args:
        model: The trained model.
        alone: Whether every source has one hypothesis. The body of a loop has to know, since it
            cannot ask how many sources there are.
    """

    compare: Comparison | None
    """None without attention."""

    def __init__(self, model: Recurrent, *, alone: bool) -> None:
        super().__init__()
        self._alone = alone
        stack = model.decoder.rnn
        self.cells = nn.ModuleList(CellStep(stack, layer) for layer in range(stack.num_layers))

    @abstractmethod
    def forward(
        self,
        embedded: Tensor,
        states: Sequence[LayerState],
        feed: Tensor | None,
        memory: SourceMemory | None,
    ) -> Stepped:
        """Take one token.

        Args:
            embedded: The newest token of every hypothesis, (R, D).
            states: Of every layer, before the step.
            feed: What the step before fed, (R, D); None without input feeding.
            memory: None without attention.
        """

    def _advance(self, x: Tensor, states: Sequence[LayerState]) -> list[LayerState]:
        """Take what the first layer reads, (R, ...), through all layers."""
        after: list[LayerState] = []
        for module, state in zip(self.cells, states, strict=True):
            cell = cast("CellStep", module)
            after.append(cell(cell.project(x), state))
            x = after[-1][0]
        return after

    def _look(self, queries: Tensor, memory: SourceMemory) -> tuple[Tensor, Tensor]:
        """Return what is looked at, (R, D), and the weights of it, (R, S).

        The bias is always added, padding or none: whether it is must not depend on a source's
        company.

        Args:
            queries: States of the decoder, (R, D).
            memory: Of the sources.
        """
        assert self.compare is not None
        grouped = (
            queries[:, None]
            if self._alone
            else queries.view(memory.values.shape[0], -1, memory.values.shape[2])
        )
        weights = torch.softmax(self.compare(grouped, memory.keys) + memory.bias, dim=-1)
        context = weights @ memory.values
        if self._alone:
            return context[:, 0], weights[:, 0]
        return context.flatten(0, 1), weights.flatten(0, 1)


class PlainStep(DecoderStep):
    """See `recurrent_decoders.PlainDecoder`."""

    compare = None

    def forward(
        self,
        embedded: Tensor,
        states: Sequence[LayerState],
        feed: Tensor | None,
        memory: SourceMemory | None,
    ) -> Stepped:
        """See `DecoderStep.forward`."""
        assert feed is None
        assert memory is None
        after = self._advance(embedded, states)
        return Stepped(after[-1][0], after, None, None)


class LuongStep(DecoderStep):
    """See `recurrent_decoders.LuongDecoder`."""

    compare: Comparison

    def __init__(self, model: Recurrent, *, alone: bool) -> None:
        super().__init__(model, alone=alone)
        decoder = cast("LuongDecoder", model.decoder)
        self.compare = _comparison(decoder.score)
        self.combine = decoder.combine

    def forward(
        self,
        embedded: Tensor,
        states: Sequence[LayerState],
        feed: Tensor | None,
        memory: SourceMemory | None,
    ) -> Stepped:
        """See `DecoderStep.forward`."""
        assert memory is not None
        x = embedded if feed is None else torch.cat([embedded, feed], dim=-1)
        after = self._advance(x, states)
        top = after[-1][0]
        context, weights = self._look(top, memory)
        hidden = torch.tanh(self.combine(torch.cat([context, top], dim=-1)))
        return Stepped(hidden, after, None if feed is None else hidden, weights)


class BahdanauStep(DecoderStep):
    """See `recurrent_decoders.BahdanauDecoder`."""

    compare: Comparison

    def __init__(self, model: Recurrent, *, alone: bool) -> None:
        super().__init__(model, alone=alone)
        decoder = cast("BahdanauDecoder", model.decoder)
        self.compare = _comparison(decoder.score)
        self.readout = decoder.readout

    def forward(
        self,
        embedded: Tensor,
        states: Sequence[LayerState],
        feed: Tensor | None,
        memory: SourceMemory | None,
    ) -> Stepped:
        """See `DecoderStep.forward`."""
        assert feed is None
        assert memory is not None
        context, weights = self._look(states[-1][0], memory)
        after = self._advance(torch.cat([embedded, context], dim=-1), states)
        seen = torch.cat([after[-1][0], context, embedded], dim=-1)
        return Stepped(torch.tanh(self.readout(seen)), after, None, weights)


def decoder_step(model: Recurrent, *, alone: bool = False) -> DecoderStep:
    """Return the step of a model's decoder; see `DecoderStep`."""
    match model.decoder:
        case PlainDecoder():
            return PlainStep(model, alone=alone)
        case LuongDecoder():
            return LuongStep(model, alone=alone)
        case BahdanauDecoder():
            return BahdanauStep(model, alone=alone)


def _comparison(score: Score) -> Comparison:
    return Addition(score) if isinstance(score, AdditiveScore) else Product(score)
