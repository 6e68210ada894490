"""The graphs of a model, whatever its family, and the state that runs through them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ferryman_bundle import StateTensor
from ferryman_export import recurrent_graphs, transformer_graphs
from ferryman_export.lowering import Graph
from ferryman_export.projection import Projections
from ferryman_export.tail import CandidateTail, FullTail
from ferryman_training.recurrent import Recurrent
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
    """
    size = model.output_weight.shape[0]
    tails = {"step": CandidateTail(size), "step_full": FullTail(size)}
    graphs: dict[str, Graph]
    match model:
        case Transformer():
            graphs = {
                "encoder": transformer_graphs.EncoderGraph(model, projections),
                **{
                    name: transformer_graphs.StepGraph(model, projections, tail)
                    for name, tail in tails.items()
                },
            }
            return ModelGraphs(graphs, tuple(transformer_graphs.state_tensors(model.config)))
        case Recurrent():
            graphs = {
                "encoder": recurrent_graphs.EncoderGraph(model),
                **{n: recurrent_graphs.StepGraph(model, tail) for n, tail in tails.items()},
            }
            return ModelGraphs(graphs, tuple(recurrent_graphs.state_tensors(model)))
        case _:
            raise AssertionError(f"{model.config.family} has no graphs")
