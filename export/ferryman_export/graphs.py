"""The graphs of a model, whatever its family, and the state that runs through them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ferryman_bundle import StateTensor
from ferryman_export.errors import ExportError
from ferryman_export.lowering import Graph
from ferryman_export.projection import Projections
from ferryman_export.tail import CandidateTail, FullTail
from ferryman_export.transformer_graphs import EncoderGraph, StepGraph, state_tensors
from ferryman_training.seq2seq import Seq2Seq
from ferryman_training.transformer import Transformer


@dataclass(frozen=True, slots=True)
class ModelGraphs:
    """What a model is exported as."""

    graphs: Mapping[str, Graph]
    """Modules that can be traced, by the name of their graph."""
    state: tuple[StateTensor, ...]
    """Every tensor that passes from graph to graph."""


def model_graphs(model: Seq2Seq, projections: Projections) -> ModelGraphs:
    """Return the graphs of a model.

    Args:
        model: With the values that the bundle stores.
        projections: How to compute its linear layers.

    Raises:
        ExportError: There are none for its family.
    """
    vocabulary_size = model.output_weight.shape[0]
    tails = {
        "step": CandidateTail(vocabulary_size),
        "step_full": FullTail(vocabulary_size),
    }
    match model:
        case Transformer():
            steps = {name: StepGraph(model, projections, tail) for name, tail in tails.items()}
            return ModelGraphs(
                {"encoder": EncoderGraph(model, projections), **steps},
                tuple(state_tensors(model.config)),
            )
        case _:
            raise ExportError(f"models of the family {model.config.family} have no graphs yet")
