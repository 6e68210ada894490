"""Calibration: which interval of each activation the levels of an int8 graph are to cover.

Sentences of the training corpus run through the model in torch; what comes in at every linear layer
is counted in a histogram, and the interval is chosen whose quantisation makes the least squared
error on it (Migacz 2017 chose by the Kullback-Leibler divergence; the square weighs the few large
values of a Transformer more, and those carry it).

Dimension key:
    M: rows    K: inputs of a layer
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn

from ferryman_bundle.tokenizer import BOS, EOS
from ferryman_export.projection import ActivationRange
from ferryman_training.batching import TokenPair
from ferryman_training.seq2seq import Seq2Seq

OUTPUT: Final = "output"
"""Name of the output layer; the others have their names in the model."""
_BINS: Final = 4096
_SHARES: Final = tuple(np.linspace(0.2, 1.0, 33).tolist())
"""Of the greatest magnitude: what is tried as the end of an interval."""

Observer = Callable[[str, Tensor], None]


def calibrate(model: Seq2Seq, pairs: Sequence[TokenPair]) -> dict[str, ActivationRange]:
    """Choose the interval of every linear layer's input.

    Args:
        model: In evaluation mode, with the values that the bundle stores.
        pairs: Sentences of the training corpus; the target side is what teacher forcing feeds.

    Returns:
        The intervals by the layer's name in the model, and of the output layer as ``output``.
    """
    extremes: dict[str, tuple[float, float]] = {}

    def widen(name: str, x: Tensor) -> None:
        low, high = extremes.get(name, (0.0, 0.0))
        extremes[name] = min(low, float(x.min())), max(high, float(x.max()))

    _observe(model, pairs, widen)
    histograms = {name: np.zeros(_BINS) for name in extremes}

    def count(name: str, x: Tensor) -> None:
        low, high = extremes[name]
        histograms[name] += torch.histc(x.flatten(), _BINS, min=low, max=high).numpy()

    _observe(model, pairs, count)
    return {name: _best_range(histograms[name], *extremes[name]) for name in extremes}


@torch.no_grad()
def _observe(model: Seq2Seq, pairs: Sequence[TokenPair], observer: Observer) -> None:
    """Show the observer what comes in at every linear layer; one sentence at a time, no padding."""
    with _hooks(model, observer):
        for pair in pairs:
            source = torch.tensor([[*pair.source, EOS]])
            target = torch.tensor([[BOS, *pair.target]])
            observer(OUTPUT, model(source, target))


@contextmanager
def _hooks(model: Seq2Seq, observer: Observer) -> Iterator[None]:
    def observe(name: str, module: nn.Module, inputs: tuple[Tensor, ...]) -> None:  # noqa: ARG001
        observer(name, inputs[0])

    handles = [
        module.register_forward_pre_hook(partial(observe, name))
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear)
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _best_range(
    histogram: np.ndarray[tuple[int], np.dtype[np.float64]], low: float, high: float
) -> ActivationRange:
    """Return the interval with the least squared error on what a histogram counted."""
    width = (high - low) / len(histogram)
    if width == 0.0:
        return ActivationRange(low, high)
    values = low + width * (np.arange(len(histogram)) + 0.5)
    candidates = [
        ActivationRange(low * share, high * other)
        for share in (_SHARES if low < 0.0 else (1.0,))
        for other in _SHARES
        # Both ends are cut alike; where one is 0 there is nothing to cut.
        if low == 0.0 or share == other
    ]

    def squared_error(candidate: ActivationRange) -> float:
        zero_point, scale = candidate.zero_point, candidate.scale
        levels = np.clip(np.rint(values / scale) + zero_point, 0, 255)
        return float((histogram * ((levels - zero_point) * scale - values) ** 2).sum())

    return min(candidates, key=squared_error)
