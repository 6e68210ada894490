"""How the graphs of each variant of a bundle are made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ferryman_bundle.manifest import Storage
from ferryman_export.calibration import calibrate
from ferryman_export.errors import ExportError
from ferryman_export.graphs import model_graphs
from ferryman_export.lowered import LoweredGraph, LoweredVariant
from ferryman_export.lowering import lower, separate_weights
from ferryman_export.projection import FloatProjections, Int8Projections, Projections
from ferryman_export.recipe import Numbers, Recipe
from ferryman_export.state_graphs import state_graphs
from ferryman_export.weight_store import WeightStore
from ferryman_training.batching import TokenPair
from ferryman_training.seq2seq import Seq2Seq


def make_projections(
    recipe: Recipe, model: Seq2Seq, calibration: Sequence[TokenPair]
) -> Projections:
    """Return how a variant computes its linear layers.

    Args:
        recipe: Of the variant.
        model: With the values that the bundle stores.
        calibration: Sentences of the training corpus.

    Raises:
        ExportError: The sentences are needed, and there are none.
    """
    if recipe.numbers is not Numbers.INT8:
        return FloatProjections()
    if not calibration:
        raise ExportError(f"the variant {recipe.name} needs sentences to calibrate it with")
    return Int8Projections(calibrate(model, calibration))


def lower_variant(
    model: Seq2Seq,
    recipe: Recipe,
    projections: Projections,
    store: WeightStore,
    *,
    scorer: LoweredGraph | None = None,
    shortlist: bool = False,
) -> LoweredVariant:
    """Make the graphs of one variant.

    Args:
        model: With the values that the bundle stores.
        recipe: Of the variant.
        projections: How the variant computes its linear layers.
        store: Where the weights go; the variants of a bundle share it.
        scorer: What to take for the graph of that name instead of making it.
        shortlist: Whether there is to be a step that chooses from lists.
    """
    made = model_graphs(model, recipe, projections, shortlist=shortlist)
    graphs = {} if scorer is None else {"scorer": scorer}
    wanted = {name: graph for name, graph in made.graphs.items() if name not in graphs}
    graphs |= lower(wanted, store, opset=recipe.opset)
    for name, arrays in made.columns.items():
        columns = {port: store.place(port, array) for port, array in arrays.items()}
        graphs[name] = replace(graphs[name], columns=columns)
    graphs |= {
        name: separate_weights(graph, store) for name, graph in state_graphs(made.state).items()
    }
    weights = store.values(Storage.INT8)
    values = {
        name: weights.values(place)
        for graph in graphs.values()
        for name, place in graph.initializers.items()
    }
    return LoweredVariant(provider=recipe.provider, graphs=graphs, values=values, state=made.state)


def weight_store(model: Seq2Seq) -> WeightStore:
    """Return an empty store that calls tensors as the model calls its parameters."""
    return WeightStore({name: weight.numpy() for name, weight in model.state_dict().items()})
