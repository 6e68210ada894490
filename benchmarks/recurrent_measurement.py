"""One recurrent model: what its graphs in bytes lose, and what a decode step takes."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch

from benchmarks.measurement import Spread, ratios, turns_of
from ferryman_bundle import StateKind
from ferryman_bundle.manifest import Storage
from ferryman_bundle.tokenizer import BOS
from ferryman_export.gate import measure_loss
from ferryman_export.greedy import decode_graphs_greedily
from ferryman_export.lowered import LoweredVariant
from ferryman_export.parity import Comparison, compare_teacher_forced
from ferryman_export.recipe import FP32, INT8
from ferryman_export.rounding import round_weights
from ferryman_export.runner import GraphRunner, pad_sources
from ferryman_export.variants import lower_variant, make_projections, weight_store
from ferryman_quality import Metric, score
from ferryman_training.batching import TokenPair, tokenize
from ferryman_training.checkpoint import Checkpoint
from ferryman_training.corpus import SentencePair
from ferryman_training.decoding import decode_greedily
from ferryman_training.seq2seq import Seq2Seq

BATCHES: Final = (1, 32)
_STEPS: Final = 40
"""Of one timed run, from the start of the sentence on."""
_SOURCE_TOKENS: Final = 24
_COMPARED_TOGETHER: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """A decode step at one batch size, in µs of CPU time, and how it compares round by round.

    One thread each, so that CPU time is what an idle machine would take.
    """

    batch: int
    torch_eager: Spread
    fp32: Spread
    int8: Spread
    fp32_ratio: Spread
    """Time over that of torch in the same round: below 1 the graphs are faster."""
    int8_ratio: Spread


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """All that is found of one model."""

    model: str
    parameters: int
    vocabulary: int
    tested: int
    agreement: Mapping[str, float]
    """Share of teacher-forced steps with the model's likeliest token, by variant."""
    identity: Mapping[str, float]
    """Share of greedy translations equal to torch's token for token, by variant."""
    bleu: Mapping[str, float]
    """Of greedy translations, by variant."""
    lost: float
    """BLEU of fp32 less that of int8."""
    low: float
    """Lower end of its 95 % interval by paired bootstrap."""
    high: float
    p_value: float
    timings: tuple[Timing, ...]


def measure(
    checkpoint: Checkpoint,
    calibration: Sequence[SentencePair],
    tested: Sequence[SentencePair],
    *,
    rounds: int,
) -> Findings:
    """Export a model in both variants, and hold them against torch and against each other.

    Args:
        checkpoint: Of a recurrent model.
        calibration: Pairs of its training corpus.
        tested: Pairs to translate.
        rounds: How often everything is timed.
    """
    model = round_weights(checkpoint.model(), Storage.INT8)
    lowered = _lowered(model, [tokenize(pair, checkpoint.tokenizer) for pair in calibration])
    runners = {name: GraphRunner(variant) for name, variant in lowered.items()}
    pairs = [tokenize(pair, checkpoint.tokenizer) for pair in tested]
    sources = [pair.source for pair in pairs]
    in_torch = [found.ids for found in decode_greedily(model, sources)]
    ids = {
        name: [found.ids for found in decode_graphs_greedily(runner, sources)]
        for name, runner in runners.items()
    }
    texts = {
        name: [checkpoint.tokenizer.decode(each) for each in found] for name, found in ids.items()
    }
    references = [pair.target for pair in tested]
    loss = measure_loss(references, texts["fp32"], texts["int8"], name="fp32")
    return Findings(
        model=checkpoint.config.name,
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        vocabulary=checkpoint.tokenizer.vocabulary_size,
        tested=len(tested),
        agreement={name: _agreement(model, runner, pairs) for name, runner in runners.items()},
        identity={
            name: sum(a == b for a, b in zip(found, in_torch, strict=True)) / len(found)
            for name, found in ids.items()
        },
        bleu={name: score(Metric.BLEU, found, references).value for name, found in texts.items()},
        lost=loss.bleu,
        low=loss.low,
        high=loss.high,
        p_value=loss.p_value,
        timings=tuple(_timing(model, runners, batch, rounds) for batch in BATCHES),
    )


def _lowered(model: Seq2Seq, calibration: Sequence[TokenPair]) -> dict[str, LoweredVariant]:
    store = weight_store(model)
    plain = lower_variant(model, FP32, make_projections(FP32, model, ()), store)
    projections = make_projections(INT8, model, calibration)
    in_bytes = lower_variant(model, INT8, projections, store, scorer=plain.graphs["scorer"])
    return {"fp32": plain, "int8": in_bytes}


def _agreement(model: Seq2Seq, runner: GraphRunner, pairs: Sequence[TokenPair]) -> float:
    comparison = Comparison()
    ordered = sorted(pairs, key=lambda pair: len(pair.target))
    for start in range(0, len(ordered), _COMPARED_TOGETHER):
        together = ordered[start : start + _COMPARED_TOGETHER]
        compare_teacher_forced(model, runner, together, comparison)
    return comparison.agreed / comparison.steps


def _timing(model: Seq2Seq, runners: Mapping[str, GraphRunner], batch: int, rounds: int) -> Timing:
    """Time steps of torch and of both variants in turn, on one thread each."""
    draw = np.random.default_rng(0)
    words = draw.integers(4, model.output_weight.shape[0], (batch, _SOURCE_TOKENS)).tolist()
    runs = {
        "torch": _torch_steps(model, words),
        **{name: _graph_steps(runner, words) for name, runner in runners.items()},
    }
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for run in runs.values():  # what a first run allocates and compiles is not of a step
            run()
        found = turns_of(runs, rounds)
    finally:
        torch.set_num_threads(threads)
    return Timing(
        batch=batch,
        torch_eager=Spread.of(found["torch"]),
        fp32=Spread.of(found["fp32"]),
        int8=Spread.of(found["int8"]),
        fp32_ratio=ratios(found["fp32"], found["torch"]),
        int8_ratio=ratios(found["int8"], found["torch"]),
    )


def _torch_steps(model: Seq2Seq, sources: Sequence[Sequence[int]]) -> Callable[[], float]:
    """Return what takes greedy steps in torch, and returns the CPU time of one in µs."""
    padded, _ = pad_sources(sources)

    @torch.inference_mode()
    def run() -> float:
        memory = model.encode(torch.from_numpy(padded))
        state = model.initial_state(memory)
        newest = torch.full((len(sources),), BOS)
        began = time.process_time()
        for _ in range(_STEPS):
            logits, state = model.step(newest, memory, state)
            newest = torch.log_softmax(logits, dim=-1).topk(2).indices[:, 0]
        return 1e6 * (time.process_time() - began) / _STEPS

    return run


def _graph_steps(runner: GraphRunner, sources: Sequence[Sequence[int]]) -> Callable[[], float]:
    """Return what takes greedy steps with the graphs, and returns the CPU time of one in µs."""
    assert not runner.tensors(StateKind.CACHE), "a recurrent model has no caches"

    def run() -> float:
        state = runner.encode(sources)
        newest = np.full((len(sources), 1), BOS, dtype=np.int64)
        lengths = np.zeros(len(sources), dtype=np.int32)
        began = time.process_time()
        for _ in range(_STEPS):
            _, best, state = runner.step(newest, lengths, state, candidates=2)
            newest = best[:, :1]
        return 1e6 * (time.process_time() - began) / _STEPS

    return run
