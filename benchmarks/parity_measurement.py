"""How the graphs of one model, variant by variant, differ from it in torch."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import onnxruntime

from benchmarks.parity_models import Subject
from ferryman_export.errors import ExportError
from ferryman_export.greedy import decode_graphs_greedily
from ferryman_export.lowered import LoweredGraph
from ferryman_export.parity import measure_parity
from ferryman_export.recipe import FP16, FP32, INT8, PORTABLE, Recipe
from ferryman_export.runner import GraphRunner
from ferryman_export.variants import lower_variant, make_projections, weight_store
from ferryman_training.decoding import decode_greedily

RECIPES: Final = {recipe.name: recipe for recipe in (FP32, INT8, FP16, PORTABLE)}
EXACT: Final = 1e-4
"""Largest difference of variants in float32. Sums of some hundred terms of size one to ten, taken
in another order, differ by some 1e-6; a real fault makes a thousand times as much."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One variant of one model."""

    model: str
    variant: str
    trained: bool
    parameters: int
    sentences: int
    steps: int
    worst_difference: dict[str, float]
    """Largest absolute difference of each output and state tensor."""
    argmax_agreement: float
    """Share of teacher-forced steps with the model's likeliest token."""
    greedy_identity: float
    """Share of sentences whose greedy translations are the same, token for token."""
    seconds: float
    """That making the graphs took."""
    fault: str
    """Why it is not good enough, or could not be run; empty where all is well."""
    refused: str = ""
    """What ONNX Runtime's CPU provider said to graphs that were made for another one."""


def measure(subject: Subject, recipes: Sequence[Recipe]) -> Iterator[Finding]:
    """Yield what is found of each variant; weights are stored once for all of them.

    Args:
        subject: The model and its sentences.
        recipes: Of the variants.
    """
    model, store = subject.model, weight_store(subject.model)
    sources = [pair.source for pair in subject.compared]
    expected = decode_greedily(model, sources)
    scorer: LoweredGraph | None = None
    # Bytes are found among the tensors that the float graphs have stored.
    for recipe in sorted(recipes, key=lambda recipe: recipe is INT8):
        began = time.monotonic()
        projections = make_projections(recipe, model, subject.calibration)
        lowered = lower_variant(
            model, recipe, projections, store, scorer=scorer if recipe is INT8 else None
        )
        if recipe is FP32:
            scorer = lowered.graphs["scorer"]
        seconds = time.monotonic() - began
        try:
            runner = GraphRunner(lowered)
        except onnxruntime.capi.onnxruntime_pybind11_state.NotImplemented as error:
            yield _unrun(subject, recipe, seconds, str(error))
            continue
        found = decode_graphs_greedily(runner, sources)
        parity = measure_parity(
            model, runner, subject.compared, list(zip(expected, found, strict=True))
        )
        yield Finding(
            model=subject.name,
            variant=recipe.name,
            trained=subject.trained,
            parameters=sum(parameter.numel() for parameter in model.parameters()),
            sentences=parity.sentences,
            steps=parity.steps,
            worst_difference=parity.worst_difference,
            argmax_agreement=parity.argmax_agreement,
            greedy_identity=parity.greedy_identity,
            seconds=seconds,
            fault=_fault(
                recipe, parity.worst_difference, parity.argmax_agreement, trained=subject.trained
            ),
        )


def _fault(recipe: Recipe, worst: dict[str, float], agreement: float, *, trained: bool) -> str:
    """Return what is wrong with a variant, if anything is.

    Of random weights many tokens are as likely as each other, so that how often rounding changes
    the likeliest says nothing about the graphs, and only exact variants are held to a share.
    """
    largest = max(worst.values(), key=lambda x: (math.isnan(x), x))
    exact = recipe in (FP32, PORTABLE)
    if not math.isfinite(largest):
        return "some of its tensors are not numbers"
    if exact and largest > EXACT:
        return f"a tensor differs by {largest:.1e}, and {EXACT:.0e} are allowed"
    if (exact or trained) and agreement < recipe.agreement:
        return f"agrees at {agreement:.2%} of the steps, and {recipe.agreement:.1%} are required"
    return ""


def _unrun(subject: Subject, recipe: Recipe, seconds: float, message: str) -> Finding:
    """Return what is to be said of graphs that the CPU provider has no kernels for."""
    if recipe.provider != "cuda":
        raise ExportError(f"{subject.name}, {recipe.name}: {message}")
    return Finding(
        model=subject.name,
        variant=recipe.name,
        trained=subject.trained,
        parameters=sum(parameter.numel() for parameter in subject.model.parameters()),
        sentences=0,
        steps=0,
        worst_difference={},
        argmax_agreement=math.nan,
        greedy_identity=math.nan,
        seconds=seconds,
        fault="",
        refused=message.splitlines()[0],
    )
