"""Making a bundle: round, trace, prove, describe, write."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from ferryman_bundle import Bundle, Manifest
from ferryman_bundle.manifest import (
    CARD,
    FORMAT,
    FORMAT_VERSION,
    LICENCE,
    TOKENIZER,
    WEIGHTS,
    Generation,
    GoldenSentence,
    GraphEntry,
    LanguagePair,
    Limits,
    Parity,
    SearchSettings,
    Storage,
    Tokens,
    Variant,
    WeightEntry,
)
from ferryman_bundle.tokenizer import BOS, EOS, PAD, UNKNOWN
from ferryman_bundle.weights import pack_weights
from ferryman_bundle.writer import describe_files, write_bundle
from ferryman_export.card import render_card
from ferryman_export.errors import ExportError
from ferryman_export.golden import choose_golden_sentences
from ferryman_export.greedy import decode_graphs_greedily
from ferryman_export.lowering import LoweredGraphs, lower
from ferryman_export.parity import finite, measure_parity
from ferryman_export.phases import Phases
from ferryman_export.quality import measure_quality
from ferryman_export.rounding import round_weights
from ferryman_export.runner import GraphRunner
from ferryman_export.transformer_graphs import EncoderGraph, StepGraph, state_tensors
from ferryman_training.batching import tokenize
from ferryman_training.checkpoint import Checkpoint
from ferryman_training.corpus import SentencePair
from ferryman_training.decoding import NEVER_GENERATED, decode_greedily, length_limit
from ferryman_training.transformer import Transformer

REQUIRED_AGREEMENT: Final = 0.999
"""Share of the teacher-forced steps at which float32 graphs must have the model's likeliest token."""
_GOLDEN_SENTENCES: Final = 12
_PACKAGES: Final = (
    "ferryman", "torch", "onnx", "onnxscript", "onnxruntime", "numpy", "safetensors", "sentencepiece",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What only the person who exports can say about a model."""

    name: str
    version: str
    description: str
    licence: str
    """SPDX expression, or a sentence."""
    licence_text: str
    data: str | None
    """About the training data, Markdown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """The sentences that a bundle is proved with."""

    parity: Sequence[SentencePair]
    """Real sentences for parity and golden sentences."""
    test_set: str | None
    """Name of the test set; None measures no quality."""
    test: Sequence[SentencePair]
    accept_loss: bool
    """Whether graphs that agree too little are written all the same, and say so."""


def build_bundle(
    checkpoint: Checkpoint,
    directory: Path,
    *,
    description: Description,
    storage: Storage,
    search: SearchSettings,
    evidence: Evidence,
    phases: Phases,
) -> Manifest:
    """Export a checkpoint into a bundle and return its manifest.

    Args:
        checkpoint: The trained model.
        directory: Of the bundle; must not exist.
        description: What the manifest and the card say.
        storage: How matrices are stored.
        search: Default search of the bundle, with which quality is measured.
        evidence: Sentences to prove it with.
        phases: Shows what is going on.

    Raises:
        ExportError: The graphs do not agree with the model.
        BundleError: The directory exists.
    """
    with phases.phase("Rounding weights") as found:
        model = round_weights(checkpoint.model(), storage)
        parameters = sum(parameter.numel() for parameter in model.parameters())
        found.append(f"{parameters:,} parameters, {storage.value}")
    with phases.phase("Tracing graphs") as found:
        lowered = lower({"encoder": EncoderGraph(model), "step": StepGraph(model)})
        found.append(", ".join(f"{n} {len(g.file) / 1e3:.0f} kB" for n, g in lowered.graphs.items()))
    parity, golden = _prove(checkpoint, model, lowered, evidence, phases)
    weights, entries = pack_weights(lowered.tensors, storage)
    contents = {
        WEIGHTS: weights,
        TOKENIZER: checkpoint.tokenizer.model,
        LICENCE: description.licence_text.encode(),
        CARD: b"",
        **{f"{name}.onnx": graph.file for name, graph in lowered.graphs.items()},
    }
    graphs = {
        name: GraphEntry(file=f"{name}.onnx", weights=graph.weights)
        for name, graph in lowered.graphs.items()
    }
    manifest = _describe(checkpoint, description, search, graphs, entries, contents).model_copy(
        update={"parity": {"fp32": parity}, "golden": golden, "parameters": parameters}
    )
    if evidence.test_set is not None:
        with phases.phase("Translating the test set") as found:
            bundle = Bundle(manifest, checkpoint.tokenizer, contents)
            quality = measure_quality(
                bundle, evidence.test, search=search, test_set=evidence.test_set
            )
            manifest = manifest.model_copy(update={"quality": quality})
            found.append(f"BLEU {quality.bleu:.1f}, chrF {quality.chrf:.1f}")
    with phases.phase("Writing the bundle") as found:
        card = render_card(manifest, checkpoint.config.model, data=description.data)
        contents[CARD] = card.encode()
        manifest = manifest.model_copy(update={"files": describe_files(contents)})
        write_bundle(directory, manifest, contents)
        found.append(f"{sum(map(len, contents.values())) / 1e6:.1f} MB")
    return manifest


def _prove(
    checkpoint: Checkpoint,
    model: Transformer,
    lowered: LoweredGraphs,
    evidence: Evidence,
    phases: Phases,
) -> tuple[Parity, tuple[GoldenSentence, ...]]:
    """Hold the graphs against the model, and choose golden sentences."""
    tokens = [tokenize(pair, checkpoint.tokenizer) for pair in evidence.parity]
    sources = [pair.source for pair in tokens]
    with phases.phase("Decoding with model and graphs") as found:
        runner = GraphRunner(lowered, state_tensors(model.config))
        expected = decode_greedily(model, sources)
        greedy = list(zip(expected, decode_graphs_greedily(runner, sources), strict=True))
        golden = choose_golden_sentences(evidence.parity, tokens, greedy, count=_GOLDEN_SENTENCES)
        found.append(f"{len(golden)} golden sentences")
    with phases.phase("Comparing step by step") as found:
        parity = measure_parity(model, runner, tokens, greedy)
        worst = max(parity.worst_difference.values())
        found.append(f"{parity.steps:,} steps, worst difference {worst:.1e}")
    return require_agreement(parity, evidence), golden


def require_agreement(parity: Parity, evidence: Evidence) -> Parity:
    """Return the proof if it is good enough, or was accepted.

    Raises:
        ExportError: It is not good enough.
    """
    if parity.argmax_agreement >= REQUIRED_AGREEMENT and finite(parity.worst_difference):
        return parity
    if evidence.accept_loss:
        return parity.model_copy(update={"accepted_loss": True})
    raise ExportError(
        f"the graphs have the model's likeliest token at {parity.argmax_agreement:.2%} of the "
        f"steps; {REQUIRED_AGREEMENT:.1%} are required. --accept-loss writes the bundle all the "
        "same, and it will say so"
    )


def _describe(
    checkpoint: Checkpoint,
    description: Description,
    search: SearchSettings,
    graphs: dict[str, GraphEntry],
    weights: dict[str, WeightEntry],
    contents: dict[str, bytes],
) -> Manifest:
    """Return the manifest, without proof as yet."""
    config = checkpoint.config
    longest = config.corpus.max_tokens
    return Manifest(
        format=FORMAT,
        format_version=FORMAT_VERSION,
        name=description.name,
        version=description.version,
        description=description.description,
        licence=description.licence,
        family=config.model.family,
        parameters=1,
        language_pairs=(
            LanguagePair(
                source=config.corpus.source_language, target=config.corpus.target_language
            ),
        ),
        tokens=Tokens(
            pad=PAD,
            unknown=UNKNOWN,
            bos=BOS,
            eos=EOS,
            vocabulary_size=checkpoint.tokenizer.vocabulary_size,
            never_generated=NEVER_GENERATED,
        ),
        limits=Limits(max_source_tokens=longest, max_target_tokens=length_limit(longest)),
        generation=Generation(
            beam_size=search.beam_size,
            length_penalty=search.length_penalty,
            max_length_ratio=float(length_limit(1) - length_limit(0)),
            max_length_offset=length_limit(0),
        ),
        variants={"fp32": Variant(graphs=graphs, state=tuple(state_tensors(config.model)))},
        weights=weights,
        files=describe_files(contents),
        golden=(),
        parity={},
        quality=None,
        environment=_environment(),
    )


def _environment() -> dict[str, str]:
    """Return the versions that made the bundle."""
    versions = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return versions
