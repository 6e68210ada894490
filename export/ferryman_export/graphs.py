"""The graphs of a model, whatever its family, and the state that runs through them."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, cast

from torch import nn

from ferryman_bundle import StateTensor
from ferryman_bundle.weights import Array
from ferryman_export import recurrent_graphs, transformer_graphs
from ferryman_export.cached_attention import cached_attention
from ferryman_export.calibration import OUTPUT
from ferryman_export.head import (
    ColumnsHead,
    Head,
    OwnLogitsHead,
    VocabularyHead,
    shortlist_columns,
)
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

_SHORTLIST_STEP: Final = "step_shortlist"
"""Name of the graph that chooses from lists."""


@dataclass(frozen=True, slots=True)
class ModelGraphs:
    """What a model is exported as."""

    graphs: Mapping[str, Graph]
    """Modules that can be traced, by the name of their graph."""
    state: tuple[StateTensor, ...]
    """Every tensor that passes from graph to graph."""
    columns: Mapping[str, Mapping[str, Array]]
    """What a caller brings to a graph columns of: by the graph's name, and by its input's."""


def model_graphs(
    model: Seq2Seq, recipe: Recipe, projections: Projections, *, shortlist: bool = False
) -> ModelGraphs:
    """Return the graphs of a variant.

    The scorer computes in floats also where the others compute in bytes: nothing waits for it.

    Args:
        model: With the values that the bundle stores.
        recipe: Of the variant.
        projections: How to compute its linear layers.
        shortlist: Whether there is to be a step that chooses from lists.
    """
    heads, columns = _heads(model, projections, shortlist=shortlist)
    half = recipe.numbers is Numbers.FLOAT16
    dtype: StateType = "float16" if half else "float32"
    match model:
        case Transformer():
            state = tuple(transformer_graphs.state_tensors(model.config, dtype))
            graphs = _transformer_graphs(model, recipe, projections, state, heads)
        case Recurrent():
            state = tuple(recurrent_graphs.state_tensors(model, dtype))
            graphs = _recurrent_graphs(model, projections, state, heads)
        case _:
            raise AssertionError(f"{model.config.family} has no graphs")
    return ModelGraphs(_halved(graphs) if half else graphs, state, columns)


def _heads(
    model: Seq2Seq, projections: Projections, *, shortlist: bool
) -> tuple[dict[str, Head], dict[str, Mapping[str, Array]]]:
    """Return the head of every step graph, and the columns that those graphs are brought."""
    weight, bias = model.output_weight, model.output_bias
    vocabulary_size, width = weight.shape
    output = projections.linear(OUTPUT, weight, bias)
    heads: dict[str, Head] = {
        "step": VocabularyHead(output, CandidateTail(vocabulary_size)),
        "step_full": VocabularyHead(output, FullTail(vocabulary_size)),
    }
    if not shortlist:
        return heads, {}
    columns = projections.columns(OUTPUT)
    if columns is None:
        return {**heads, _SHORTLIST_STEP: OwnLogitsHead(output)}, {}
    brought = {_SHORTLIST_STEP: shortlist_columns(weight, bias)}
    return {**heads, _SHORTLIST_STEP: ColumnsHead(columns, width)}, brought


def _transformer_graphs(
    model: Transformer,
    recipe: Recipe,
    projections: Projections,
    state: Sequence[StateTensor],
    heads: Mapping[str, Head],
) -> dict[str, Graph]:
    attention = cached_attention(fused=recipe.fused)
    encoder = transformer_graphs.EncoderGraph(model, projections, state)
    steps = {
        name: transformer_graphs.StepGraph(
            model, projections, state, head=head, attention=attention
        )
        for name, head in heads.items()
    }
    scorer = ScorerGraph(model, WholeTargets(model, state), attends=True)
    return {"encoder": encoder, **steps, "scorer": scorer}


def _recurrent_graphs(
    model: Recurrent,
    projections: Projections,
    state: Sequence[StateTensor],
    heads: Mapping[str, Head],
) -> dict[str, Graph]:
    encoder = recurrent_graphs.EncoderGraph(model, projections, state)
    steps = {
        name: recurrent_graphs.StepGraph(model, projections, state, head=head)
        for name, head in heads.items()
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
