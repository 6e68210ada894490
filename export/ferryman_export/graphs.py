"""The graphs of a model, whatever its family, and the state that runs through them."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from torch import nn

from ferryman_bundle import StateTensor
from ferryman_export import recurrent_graphs, transformer_graphs
from ferryman_export.cached_attention import cached_attention
from ferryman_export.interface import StateType
from ferryman_export.lowering import Graph
from ferryman_export.projection import Projections
from ferryman_export.recipe import Numbers, Recipe
from ferryman_export.scorer import ScorerGraph, StepByStep
from ferryman_export.tail import CandidateTail, FullTail
from ferryman_export.whole_targets import WholeTargets
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


def model_graphs(model: Seq2Seq, recipe: Recipe, projections: Projections) -> ModelGraphs:
    """Return the graphs of a variant.

    The scorer computes in floats also where the others compute in bytes: nothing waits for it.

    Args:
        model: With the values that the bundle stores.
        recipe: Of the variant.
        projections: How to compute its linear layers.
    """
    half = recipe.numbers is Numbers.FLOAT16
    dtype: StateType = "float16" if half else "float32"
    match model:
        case Transformer():
            state = tuple(transformer_graphs.state_tensors(model.config, dtype))
            graphs = _transformer_graphs(model, recipe, projections, state)
        case Recurrent():
            state = tuple(recurrent_graphs.state_tensors(model, dtype))
            graphs = _recurrent_graphs(model, projections, state)
        case _:
            raise AssertionError(f"{model.config.family} has no graphs")
    return ModelGraphs(_halved(graphs) if half else graphs, state)


def _transformer_graphs(
    model: Transformer, recipe: Recipe, projections: Projections, state: Sequence[StateTensor]
) -> dict[str, Graph]:
    size = model.output_weight.shape[0]
    attention = cached_attention(fused=recipe.fused)
    encoder = transformer_graphs.EncoderGraph(model, projections, state)
    steps = {
        name: transformer_graphs.StepGraph(
            model, projections, state, tail=tail, attention=attention
        )
        for name, tail in (("step", CandidateTail(size)), ("step_full", FullTail(size)))
    }
    scorer = ScorerGraph(model, WholeTargets(model, state), attends=True)
    return {"encoder": encoder, **steps, "scorer": scorer}


def _recurrent_graphs(
    model: Recurrent, projections: Projections, state: Sequence[StateTensor]
) -> dict[str, Graph]:
    size = model.output_weight.shape[0]
    encoder = recurrent_graphs.EncoderGraph(model, projections, state)
    steps = {
        name: recurrent_graphs.StepGraph(model, projections, state, tail=tail)
        for name, tail in (("step", CandidateTail(size)), ("step_full", FullTail(size)))
    }
    attends = model.decoder.score is not None
    scorer = ScorerGraph(model, StepByStep(model, state), attends=attends)
    return {"encoder": encoder, **steps, "scorer": scorer}


def _halved(graphs: Mapping[str, Graph]) -> dict[str, Graph]:
    """Return copies of modules that hold, and compute with, float16."""
    return {
        name: cast("Graph", copy.deepcopy(cast("nn.Module", graph)).half())
        for name, graph in graphs.items()
    }
