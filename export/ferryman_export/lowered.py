"""A variant that has been lowered: files, the values they refer to, and the state they share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ferryman_bundle import StateTensor
from ferryman_bundle.variant import Initializer, Provider
from ferryman_bundle.weights import Array


@dataclass(frozen=True, slots=True)
class LoweredGraph:
    """An ONNX graph without its weights."""

    file: bytes
    """The ONNX file; its large initializers are external, to be supplied by the loader."""
    initializers: dict[str, Initializer]
    """Where the external initializers come from, by their name in the file."""
    columns: dict[str, Initializer] = field(default_factory=dict)
    """Where its inputs come from that the caller fills with columns of a tensor, by their name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoweredVariant:
    """All graphs of one variant."""

    provider: Provider
    graphs: Mapping[str, LoweredGraph]
    """By name."""
    values: Mapping[str, Array]
    """Of the external initializers of all graphs, by name."""
    state: tuple[StateTensor, ...]
    """Every tensor that passes from graph to graph."""
