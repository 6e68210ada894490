"""The proof: graphs and model side by side, step by step, over real sentences.

Each keeps the state that it made itself, so that what differs a little at one step may grow at the
next, as it would in service.

Dimension key:
    B: sentences    S: source tokens    P: past target tokens    k: candidates    V: vocabulary
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ferryman_bundle.manifest import Parity
from ferryman_bundle.quantization import Floats
from ferryman_bundle.tokenizer import BOS, PAD
from ferryman_export.greedy import GreedyTranslation
from ferryman_export.runner import GraphRunner, State, pad_sources
from ferryman_training.batching import TokenPair
from ferryman_training.decoding import NEVER_GENERATED, Decoded
from ferryman_training.transformer import Memory, Transformer
from ferryman_training.transformer import State as Caches

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
        """Take in one tensor."""
        self.note(name, float(np.abs(expected.numpy() - found).max(initial=0.0)))

    def note(self, name: str, difference: float) -> None:
        """Take in one difference; a NaN stays for ever."""
        self.worst[name] = float(np.maximum(self.worst.get(name, 0.0), difference))


def measure_parity(
    model: Transformer,
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
    model: Transformer, runner: GraphRunner, pairs: Sequence[TokenPair], comparison: Comparison
) -> None:
    """Feed the true target to both, and compare all that they put out and carry along."""
    sources = [pair.source for pair in pairs]
    ids, mask = pad_sources(sources)
    memory = model.encode(torch.from_numpy(ids))
    caches = model.initial_state(memory)
    lengths = np.array([len(pair.target) + 1 for pair in pairs])
    state: State = {
        **runner.encode(sources),
        **runner.empty_caches(len(pairs), int(lengths.max())),
    }
    _compare_memory(memory, state, mask.astype(bool), comparison)
    for past in range(lengths.max()):
        newest = np.array([(BOS, *pair.target, *[PAD] * past)[past] for pair in pairs])
        logits, caches = model.step(torch.from_numpy(newest), memory, caches)
        log_probs, best, state = runner.step(
            newest[:, None], np.full(len(pairs), past, np.int32), state, candidates=_CANDIDATES
        )
        # A sentence that has ended is in the batch still, but not in the comparison.
        rows = np.flatnonzero(past < lengths)
        _compare_candidates(logits[rows], log_probs[rows], best[rows], comparison)
        for name, tensor in _caches(caches):
            found = state[name][rows, :, : past + 1]
            comparison.compare(name.replace("cache", "present"), tensor[rows], found)


def _compare_memory(
    memory: Memory, state: State, mask: npt.NDArray[np.bool_], comparison: Comparison
) -> None:
    """Compare what the encoders made of tokens; what they make of padding is never used."""
    for i, (keys, values) in enumerate(zip(memory.keys, memory.values, strict=True)):
        for name, expected, axes in (
            (f"memory.{i}.key", keys, (0, 3, 1, 2)),
            (f"memory.{i}.value", values, (0, 2, 1, 3)),
        ):
            found = state[name].transpose(axes)[mask]
            comparison.compare(name, expected.transpose(1, 2)[torch.from_numpy(mask)], found)
    same = np.array_equal(memory.bias.numpy(), state["memory.bias"])
    comparison.note("memory.bias", 0.0 if same else float("nan"))


def _compare_candidates(
    logits: Tensor, log_probs: Floats, best: npt.NDArray[np.int64], comparison: Comparison
) -> None:
    """Compare the probabilities of the candidates, and which one is the first."""
    expected = torch.log_softmax(logits, dim=-1)
    comparison.compare("candidate_log_probs", expected.gather(1, torch.from_numpy(best)), log_probs)
    expected[:, list(NEVER_GENERATED)] = float("-inf")
    comparison.steps += len(best)
    comparison.agreed += int((expected.argmax(dim=-1).numpy() == best[:, 0]).sum())


def _caches(caches: Caches) -> Iterator[tuple[str, Tensor]]:
    """Yield the caches of the model under the names of the graphs."""
    for i, (keys, values) in enumerate(zip(caches.keys, caches.values, strict=True)):
        yield f"cache.{i}.key", keys
        yield f"cache.{i}.value", values


def finite(worst: Mapping[str, float]) -> bool:
    """Return whether every tensor could be compared at all."""
    return all(np.isfinite(difference) for difference in worst.values())
