"""Heads of a step graph: from the last hidden state to what a search asks for.

A head is an output layer and a tail. It computes every token's logit, or those of the tokens that
some source of the batch may need, of which each source then takes its own.

Dimension key:
    R: hypotheses    D: width    V: vocabulary    k: candidates    C: columns    P: places
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Final

import torch
from torch import Tensor, nn

from ferryman_bundle.quantization import quantize
from ferryman_bundle.weights import Array
from ferryman_export.interface import Port
from ferryman_export.operators import top_k
from ferryman_export.projection import Int8Columns, Projection
from ferryman_export.tail import Tail, candidate_outputs

VALUES: Final = "shortlist.values"
SCALES: Final = "shortlist.scales"
BIAS: Final = "shortlist.bias"
IDS: Final = "shortlist.ids"
PLACES: Final = "shortlist.places"
"""Inputs of a graph that chooses from lists."""
_NO_PLACE: Final = 0
"""What pads the places of a list: nothing is ever generated from there."""


class Head(nn.Module, ABC):
    """The end of a step graph."""

    @abstractmethod
    def inputs(self) -> list[Port]:
        """Declare what the head asks of the caller."""

    @abstractmethod
    def outputs(self) -> list[Port]:
        """Declare what it returns."""

    @abstractmethod
    def forward(self, hidden: Tensor, inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Return the outputs, in their order.

        Args:
            hidden: (R, D).
            inputs: One tensor per declared input.
        """


class VocabularyHead(Head):
    """The whole vocabulary.

    Args:
        output: The output layer.
        tail: What becomes of the logits.
    """

    def __init__(self, output: Projection, tail: Tail) -> None:
        super().__init__()
        self.output = output
        self.tail = tail

    def inputs(self) -> list[Port]:
        """The tail's."""
        return self.tail.inputs()

    def outputs(self) -> list[Port]:
        """The tail's."""
        return self.tail.outputs()

    def forward(self, hidden: Tensor, inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """(R, D) -> what the tail returns."""
        found: tuple[Tensor, ...] = self.tail(self.output(hidden), inputs)
        return found


class ShortlistHead(Head):
    """The k likeliest tokens of every row's own list, as if there were no others.

    The lists of a batch differ in length. All are padded to one length, a multiple of 64, so that
    the sum of exponentials is taken in the same groups whatever that length is: what pads them
    adds exact zeros.
    """

    def outputs(self) -> list[Port]:
        """Log-probabilities and ids, best first; of equal ones the lower id first."""
        return candidate_outputs()

    @staticmethod
    def _places() -> Port:
        """Declare where each row's own logits are: by ascending id, padded with `_NO_PLACE`."""
        return Port(PLACES, torch.int64, ("hypotheses", "places"))


class ColumnsHead(ShortlistHead):
    """A shortlist head that multiplies by columns of the output matrix that the caller brings.

    The caller keeps the columns that any source of its batch may need, in any order. Column 0
    stands for none: its bias is minus infinity.

    Args:
        output: The output layer.
        width: D.
    """

    def __init__(self, output: Int8Columns, width: int) -> None:
        super().__init__()
        self.output = output
        self._width = width

    def inputs(self) -> list[Port]:
        """The columns, whose they are, each row's own among them, and how many candidates."""
        return [
            Port(VALUES, torch.int8, (self._width, "columns")),
            Port(SCALES, torch.float32, ("columns",)),
            Port(BIAS, torch.float32, ("columns",)),
            Port(IDS, torch.int64, ("columns",)),
            self._places(),
            Port("candidates", torch.int64, (1,)),
        ]

    def forward(self, hidden: Tensor, inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """(R, D) -> log-probabilities and ids, (R, k) each."""
        values, scales, bias, ids, places, candidates = inputs
        own = self.output(hidden, values, scales, bias).gather(1, places)
        log_probs, best = _likeliest(own, candidates)
        return log_probs, ids[places.gather(1, best)]


class OwnLogitsHead(ShortlistHead):
    """A shortlist head that multiplies by the whole output matrix, and takes each row's own.

    In floats a matrix that is no constant is multiplied by another kernel for one row than for
    many, and the two round differently. So only what follows the product is spared here.

    Args:
        output: The output layer.
    """

    def __init__(self, output: Projection) -> None:
        super().__init__()
        self.output = output

    def inputs(self) -> list[Port]:
        """The ids of each row's own list, and how many candidates."""
        return [self._places(), Port("candidates", torch.int64, (1,))]

    def forward(self, hidden: Tensor, inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """(R, D) -> log-probabilities and ids, (R, k) each."""
        places, candidates = inputs
        own = self.output(hidden).float().gather(1, places)
        own = torch.where(places == _NO_PLACE, float("-inf"), own)
        log_probs, best = _likeliest(own, candidates)
        return log_probs, places.gather(1, best)


def shortlist_columns(weight: Tensor, bias: Tensor | None) -> Mapping[str, Array]:
    """Return what a caller of `ColumnsHead` takes columns of, by the name of the input.

    Args:
        weight: Of the output layer, (V, D), with the values that the bundle stores.
        bias: (V,); None where there is none, and the caller brings zeros.

    Returns:
        Arrays whose first axis is the token's id.
    """
    quantized = quantize(weight.detach().numpy(), axis=0)
    columns: dict[str, Array] = {VALUES: quantized.values, SCALES: quantized.scales}
    if bias is not None:
        columns[BIAS] = bias.detach().numpy()
    return columns


def _likeliest(logits: Tensor, candidates: Tensor) -> tuple[Tensor, Tensor]:
    """Return log-probabilities and places of the k likeliest of every row's list, (R, k) each."""
    _, best = top_k(logits, candidates)
    return torch.log_softmax(logits, dim=-1).gather(1, best), best
