"""The variants of a bundle: sets of graphs that compute the same model in different numbers."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ferryman_bundle.claims import Parity, Quality, Speed
from ferryman_bundle.quantization import Axis
from ferryman_bundle.section import Count, FileName, Label, Section
from ferryman_bundle.state import StateTensor

Provider = Literal["cpu", "cuda", "any"]
"""What a variant was made for: ONNX Runtime's CPU or CUDA provider, or standard ONNX operators."""
VariantName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,31}$")]
GraphName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")]


class Storage(StrEnum):
    """How the weights file holds a tensor."""

    FLOAT32 = "float32"
    FLOAT16 = "float16"
    INT8 = "int8"
    """Signed bytes, with a float32 scale per entry of one axis."""


class WeightEntry(Section):
    """One tensor of the weights file."""

    storage: Storage
    axis: Axis | None
    """The axis that has the scales; None where there are none."""
    shape: tuple[Count, ...]

    @model_validator(mode="after")
    def _int8_has_an_axis(self) -> Self:
        if (self.storage is Storage.INT8) != (self.axis is not None):
            raise ValueError("exactly int8 has an axis")
        if self.axis is not None and len(self.shape) != 2:
            raise ValueError("only matrices are stored as int8")
        return self


class Part(StrEnum):
    """What of a stored tensor a graph computes with."""

    FLOATS = "floats"
    """float32; multiplied out where the tensor is stored as int8."""
    HALVES = "halves"
    """The same, rounded to float16."""
    VALUES = "values"
    """The signed bytes of an int8 tensor."""
    SCALES = "scales"
    """The float32 scales of an int8 tensor, one per entry of its axis."""


class Initializer(Section):
    """Where the values of one external initializer of a graph come from."""

    tensor: Label
    """Of the weights file."""
    part: Part = Part.FLOATS
    transposed: bool = False
    """Whether the graph has rows and columns of the matrix the other way round."""

    def fault(self, entry: WeightEntry) -> str | None:
        """Return why a stored tensor cannot supply this, if it cannot."""
        if self.part in (Part.VALUES, Part.SCALES) and entry.storage is not Storage.INT8:
            return (
                f"{self.tensor!r} is stored as {entry.storage.value} and has no {self.part.value}"
            )
        if self.transposed and (len(entry.shape) != 2 or self.part is Part.SCALES):
            return f"only matrices are transposed, which the {self.part.value} of it are not"
        return None


class GraphEntry(Section):
    """One ONNX graph."""

    file: FileName
    initializers: dict[Label, Initializer]
    """External initializers by the name that the graph has for them, to be supplied when a session
    is made: these and no others, since ONNX Runtime refuses a name that it does not find."""
    columns: dict[Label, Initializer] = Field(default_factory=dict)
    """Inputs that the caller fills with columns of the output matrix, or with their scales or their
    bias, for the tokens that it chooses: each with the tensor whose first axis is the token."""


class Variant(Section):
    """One set of graphs, the state that runs through them, and what was shown of them."""

    provider: Provider
    graphs: dict[GraphName, GraphEntry]
    """``encoder`` and ``step`` are there always."""
    state: tuple[StateTensor, ...]
    parity: Parity | None
    quality: Quality | None
    speed: Speed | None = None

    @property
    def fell_short(self) -> bool:
        """Whether it lost more than is allowed, which its maker accepted knowingly."""
        return self.parity is not None and self.parity.accepted_loss

    @model_validator(mode="after")
    def _has_the_needed_graphs(self) -> Self:
        missing = {"encoder", "step"} - set(self.graphs)
        if missing:
            raise ValueError(f"lacks the graph {min(missing)!r}")
        return self

    @model_validator(mode="after")
    def _state_has_names_of_its_own(self) -> Self:
        for names in (
            [tensor.name for tensor in self.state],
            [tensor.output for tensor in self.state if tensor.output is not None],
        ):
            if len(set(names)) < len(names):
                raise ValueError("two state tensors have one name")
        return self
