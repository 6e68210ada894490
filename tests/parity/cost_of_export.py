"""Exports one graph of a checkpoint, and prints what that took as JSON: CPU time and memory.

Run in a process of its own, so that its greatest memory is that of nothing else:

    python tests/parity/cost_of_export.py CHECKPOINT GRAPH VARIANT
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path

import torch

from ferryman_bundle.manifest import Storage
from ferryman_export.graphs import model_graphs
from ferryman_export.lowering import lower
from ferryman_export.projection import ActivationRange, FloatProjections, Int8Projections
from ferryman_export.recipe import FP16, FP32, INT8, PORTABLE
from ferryman_export.rounding import round_weights
from ferryman_export.variants import weight_store
from ferryman_training.checkpoint import Checkpoint

RECIPES = {recipe.name: recipe for recipe in (FP32, INT8, FP16, PORTABLE)}


class AnyRange(dict):
    """The same interval for every layer: what a graph costs does not depend on it."""

    def __missing__(self, name: str) -> ActivationRange:
        return ActivationRange(-4.0, 4.0)


def peak_bytes() -> int:
    """Return the most memory that this process ever had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main(directory: str, name: str, variant: str) -> None:
    torch.set_num_threads(2)
    before = peak_bytes()
    recipe = RECIPES[variant]
    model = round_weights(Checkpoint.load(Path(directory)).model(), Storage.INT8)
    projections = Int8Projections(AnyRange()) if recipe is INT8 else FloatProjections()
    store = weight_store(model)
    if recipe in (INT8, FP16):
        # Bytes and halves are looked for among what the float graph has stored.
        plain = model_graphs(model, FP32, FloatProjections()).graphs
        lower({name: plain[name]}, store, opset=FP32.opset)
    graphs = model_graphs(model, recipe, projections).graphs
    began = time.process_time()
    lower({name: graphs[name]}, store, opset=recipe.opset)
    seconds = time.process_time() - began
    sys.stdout.write(json.dumps({"seconds": seconds, "bytes": peak_bytes() - before}))


if __name__ == "__main__":
    main(*sys.argv[1:])
