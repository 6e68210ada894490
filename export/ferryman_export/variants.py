"""How the graphs of each variant of a bundle are made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from ferryman_bundle.manifest import Storage
from ferryman_export.calibration import calibrate
from ferryman_export.errors import ExportError
from ferryman_export.graphs import model_graphs
from ferryman_export.lowered import LoweredVariant
from ferryman_export.lowering import lower
from ferryman_export.precision import Precision
from ferryman_export.projection import FloatProjections, Int8Projections, Projections
from ferryman_export.weight_store import WeightStore
from ferryman_training.batching import TokenPair
from ferryman_training.seq2seq import Seq2Seq
from ferryman_training.transformer import Transformer


def make_projections(
    precision: Precision, model: Seq2Seq, calibration: Sequence[TokenPair]
) -> Projections:
    """Return how a variant computes its linear layers.

    Args:
        precision: The variant.
        model: With the values that the bundle stores.
        calibration: Sentences of the training corpus.

    Raises:
        ExportError: The sentences are needed, and there are none.
    """
    match precision:
        case Precision.FP32:
            return FloatProjections()
        case Precision.INT8:
            if not isinstance(model, Transformer):
                raise ExportError("recurrent models have no variant int8 yet: --variant fp32")
            if not calibration:
                raise ExportError("the variant int8 needs sentences to calibrate it with")
            return Int8Projections(calibrate(model, calibration))
        case _:
            assert_never(precision)


def lower_variant(model: Seq2Seq, projections: Projections, store: WeightStore) -> LoweredVariant:
    """Make the graphs of one variant.

    Args:
        model: With the values that the bundle stores.
        projections: How the variant computes its linear layers.
        store: Where the weights go; the variants of a bundle share it.
    """
    made = model_graphs(model, projections)
    graphs = lower(made.graphs, store)
    weights = store.values(Storage.INT8)
    values = {
        name: weights.values(place)
        for graph in graphs.values()
        for name, place in graph.initializers.items()
    }
    return LoweredVariant(provider="cpu", graphs=graphs, values=values, state=made.state)


def weight_store(model: Seq2Seq) -> WeightStore:
    """Return an empty store that calls tensors as the model calls its parameters."""
    return WeightStore({name: weight.numpy() for name, weight in model.state_dict().items()})
