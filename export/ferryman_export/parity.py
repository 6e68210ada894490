"""The proof: graphs and model side by side, step by step, over real sentences.

Each keeps the state that it made itself, so that what differs a little at one step may grow at the
next, as it would in service.

Dimension key:
    B: sentences    S: source tokens    P: past target tokens    k: candidates    V: vocabulary
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ferryman_bundle import StateKind
from ferryman_bundle.manifest import Parity
from ferryman_bundle.quantization import Floats
from ferryman_bundle.tokenizer import BOS, PAD
from ferryman_export.correspondence import carried_tensors, memory_tensors
from ferryman_export.greedy import GreedyTranslation
from ferryman_export.runner import GraphRunner, State, pad_sources
from ferryman_training.batching import TokenPair
from ferryman_training.decoding import NEVER_GENERATED, Decoded
from ferryman_training.seq2seq import Seq2Seq

_CANDIDATES = 4
"""Log-probabilities compared at every step: these many, the likeliest."""
_BATCH = 16


@dataclass(slots=True)
class Comparison:
    """What has been found so far."""

    worst: dict[str, float] = field(default_factory=dict)
    """Largest absolute difference of each tensor."""
    steps: int = 0
    agreed: int = 0
    """Steps at which the likeliest token was the same."""

    def compare(self, name: str, expected: Tensor, found: Floats) -> None:
        """Take in one tensor; a NaN stays for ever."""
        # Equal infinities do not differ, but their difference is no number.
        with np.errstate(invalid="ignore"):
            differences = np.abs(expected.numpy() - found)
        differences = np.where(expected.numpy() == found, 0.0, differences)
        worst = np.maximum(self.worst.get(name, 0.0), differences.max(initial=0.0))
        self.worst[name] = float(worst)


def measure_parity(
    model: Seq2Seq,
    runner: GraphRunner,
    pairs: Sequence[TokenPair],
    greedy: Sequence[tuple[Decoded, GreedyTranslation]],
) -> Parity:
    """Hold graphs against the model they were made from.

    Args:
        model: In evaluation mode, with the values that the bundle stores.
        runner: The graphs.
        pairs: Real sentences; the target side is what teacher forcing feeds.
        greedy: Free-running translations of the same sentences by the model and by the graphs.
    """
    comparison = Comparison()
    ordered = sorted(pairs, key=lambda pair: len(pair.target))
    for start in range(0, len(ordered), _BATCH):
        compare_teacher_forced(model, runner, ordered[start : start + _BATCH], comparison)
    return Parity(
        sentences=len(pairs),
        steps=comparison.steps,
        worst_difference=comparison.worst,
        argmax_agreement=comparison.agreed / comparison.steps,
        greedy_identity=sum(a.ids == b.ids for a, b in greedy) / len(greedy),
        accepted_loss=False,
    )


@torch.no_grad()
def compare_teacher_forced(
    model: Seq2Seq, runner: GraphRunner, pairs: Sequence[TokenPair], comparison: Comparison
) -> None:
    """Feed the true target to both, and compare all that they put out and carry along."""
    sources = [pair.source for pair in pairs]
    ids, mask = pad_sources(sources)
    memory = model.encode(torch.from_numpy(ids))
    carried = model.initial_state(memory)
    lengths = np.array([len(pair.target) + 1 for pair in pairs])
    state: State = {
        **runner.encode(sources),
        **runner.empty_caches(len(pairs), int(lengths.max())),
    }
    _compare_memory(memory_tensors(model, memory), runner, state, mask.astype(bool), comparison)
    _compare_state(carried, runner, state, np.arange(len(pairs)), comparison, past=0)
    for past in range(lengths.max()):
        newest = np.array([(BOS, *pair.target, *[PAD] * past)[past] for pair in pairs])
        logits, carried = model.step(torch.from_numpy(newest), memory, carried)
        at = np.full(len(pairs), past, np.int32)
        full = runner.log_probs(newest[:, None], at, state)
        log_probs, best, state = runner.step(newest[:, None], at, state, candidates=_CANDIDATES)
        # A sentence that has ended is in the batch still, but not in the comparison.
        rows = np.flatnonzero(past < lengths)
        expected = torch.log_softmax(logits[rows], dim=-1)
        comparison.compare("log_probs", expected, full[rows])
        _compare_candidates(expected, log_probs[rows], best[rows], comparison)
        _compare_state(carried, runner, state, rows, comparison, past=past + 1)


def _compare_memory(
    expected: Mapping[str, Tensor],
    runner: GraphRunner,
    state: State,
    mask: npt.NDArray[np.bool_],
    comparison: Comparison,
) -> None:
    """Compare what the encoders made of tokens; what they make of padding is never used.

    Only what marks the padding, by minus infinity, is compared there too.
    """
    for tensor in runner.tensors(StateKind.MEMORY):
        pair = (expected[tensor.name], torch.from_numpy(state[tensor.name]))
        if tensor.length_axis is not None and np.isfinite(tensor.padding):
            axis = tensor.length_axis
            pair = (pair[0].movedim(axis, 1)[mask], pair[1].movedim(axis, 1)[mask])
        comparison.compare(tensor.name, pair[0], pair[1].numpy())


def _compare_state(
    carried: Any,
    runner: GraphRunner,
    state: State,
    rows: npt.NDArray[np.int64],
    comparison: Comparison,
    *,
    past: int,
) -> None:
    """Compare what passes to the next step, caches as far as they are filled."""
    expected = carried_tensors(carried)
    for tensor in runner.tensors(StateKind.RECURRENT):
        comparison.compare(
            str(tensor.output), expected[tensor.name][rows], state[tensor.name][rows]
        )
    for tensor in runner.tensors(StateKind.CACHE):
        assert tensor.length_axis is not None
        found = state[tensor.name].take(range(past), tensor.length_axis)
        comparison.compare(str(tensor.output), expected[tensor.name][rows], found[rows])


def _compare_candidates(
    expected: Tensor, log_probs: Floats, best: npt.NDArray[np.int64], comparison: Comparison
) -> None:
    """Compare the log-probabilities of the candidates, and which one is the first."""
    comparison.compare("candidate_log_probs", expected.gather(1, torch.from_numpy(best)), log_probs)
    allowed = expected.clone()
    allowed[:, list(NEVER_GENERATED)] = float("-inf")
    comparison.steps += len(best)
    comparison.agreed += int((allowed.argmax(dim=-1).numpy() == best[:, 0]).sum())


def finite(worst: Mapping[str, float]) -> bool:
    """Return whether every tensor could be compared at all."""
    return all(np.isfinite(difference) for difference in worst.values())
