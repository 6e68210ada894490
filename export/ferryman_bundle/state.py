"""What a manifest says about the tensors that live from one decoder step to the next."""

from __future__ import annotations

import math
from enum import StrEnum
from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from ferryman_bundle.section import Count, Label, Section

_MAX_ELEMENTS: Final = 1 << 20
"""Of one row at one position. A server allocates many rows before the first step, so what a
manifest may ask for has to end somewhere."""

Dimension = Annotated[int, Field(gt=0)] | Annotated[str, Field(pattern=r"^[a-z][a-z_]{0,31}$")]
"""A size, or the name of one that is known only when the graph runs."""


class StateKind(StrEnum):
    """How a decoder step treats one state tensor."""

    MEMORY = "memory"
    """Written by the encoder, read by every step, never rewritten."""
    RECURRENT = "recurrent"
    """Replaced by every step: LSTM hidden and cell, the attention vector."""
    CACHE = "cache"
    """Grows by one position a step, in place: self-attention keys and values."""


class StateTensor(Section):
    """One tensor that lives from step to step.

    Its symbols are ``sources``, ``hypotheses`` (sources times beam width), ``source_length`` and
    ``capacity``.
    """

    name: Label
    """The input of the step graph, and for memory the output of the encoder graph."""
    kind: StateKind
    dtype: Literal["float32", "float16"]
    shape: tuple[Dimension, ...]
    """Axis 0 is ``sources`` for memory and ``hypotheses`` for the others."""
    length_axis: Count | None
    """The axis of ``source_length`` or ``capacity``, if there is one."""
    padding: float
    """What memory holds beyond the end of a source."""
    output: Label | None
    """The output of the step graph that replaces it; None for memory."""

    @model_validator(mode="after")
    def _axes_fit_the_kind(self) -> Self:
        first = "sources" if self.kind is StateKind.MEMORY else "hypotheses"
        if not self.shape or self.shape[0] != first:
            raise ValueError(f"axis 0 of {self.name} must be {first!r}")
        if self.length_axis is not None and self.length_axis >= len(self.shape):
            raise ValueError(f"{self.name} has no axis {self.length_axis}")
        if (self.output is None) != (self.kind is StateKind.MEMORY):
            raise ValueError(f"{self.name}: exactly the memory has no output")
        return self

    @model_validator(mode="after")
    def _is_of_a_size_to_allocate(self) -> Self:
        if math.isnan(self.padding):
            raise ValueError(f"{self.name}: the padding is not a number")
        if math.prod(size for size in self.shape if isinstance(size, int)) > _MAX_ELEMENTS:
            raise ValueError(f"{self.name} has more than {_MAX_ELEMENTS} elements in a row")
        return self
