"""Making a bundle: round, trace, prove, measure, write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ferryman_bundle import Bundle, Manifest
from ferryman_bundle.manifest import (
    CARD,
    FORMAT,
    FORMAT_VERSION,
    LICENCE,
    TOKENIZER,
    WEIGHTS,
    GraphEntry,
    SearchSettings,
    Storage,
    Variant,
)
from ferryman_bundle.weights import pack_weights
from ferryman_bundle.writer import describe_files, require_absent, write_bundle
from ferryman_export.card import render_card
from ferryman_export.description import Description, describe
from ferryman_export.lowered import LoweredVariant
from ferryman_export.phases import Phases
from ferryman_export.precision import Precision
from ferryman_export.proof import Evidence, Proof, prove
from ferryman_export.quality import measure_quality
from ferryman_export.rounding import round_weights
from ferryman_export.variants import lower_variant, make_projections, weight_store
from ferryman_training.batching import tokenize
from ferryman_training.checkpoint import Checkpoint


@dataclass(frozen=True, slots=True)
class ProvedVariant:
    """A variant, and what was shown of it."""

    lowered: LoweredVariant
    proof: Proof


def build_bundle(
    checkpoint: Checkpoint,
    directory: Path,
    *,
    description: Description,
    storage: Storage,
    precisions: Sequence[Precision],
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
        precisions: The variants to make, the most exact first.
        search: Default search of the bundle, with which quality is measured.
        evidence: Sentences to prove it with.
        phases: Shows what is going on.

    Raises:
        ExportError: The graphs do not agree with the model.
        BundleError: The directory exists.
    """
    require_absent(directory)
    with phases.phase("Rounding weights") as found:
        model = round_weights(checkpoint.model(), storage)
        parameters = sum(parameter.numel() for parameter in model.parameters())
        found.append(f"{parameters:,} parameters, {storage.value}")
    calibration = [tokenize(pair, checkpoint.tokenizer) for pair in evidence.calibration]
    store = weight_store(model)
    proved: dict[str, ProvedVariant] = {}
    for precision in precisions:
        with phases.phase(f"Tracing {precision.value}") as found:
            projections = make_projections(precision, model, calibration)
            lowered = lower_variant(model, projections, store)
            found += [f"{name} {len(g.file) / 1e3:.0f} kB" for name, g in lowered.graphs.items()]
        proof = prove(model, checkpoint, lowered, precision, evidence=evidence, phases=phases)
        proved[precision.value] = ProvedVariant(lowered, proof)
    weights, entries = pack_weights(store.tensors, storage)
    contents = {
        WEIGHTS: weights,
        TOKENIZER: checkpoint.tokenizer.model,
        LICENCE: description.licence_text.encode(),
        CARD: b"",
        **{
            graph_file(name, variant): graph.file
            for variant, made in proved.items()
            for name, graph in made.lowered.graphs.items()
        },
    }
    manifest = Manifest(
        format=FORMAT,
        format_version=FORMAT_VERSION,
        **describe(checkpoint, description, search),
        parameters=parameters,
        variants={name: _variant(name, made) for name, made in proved.items()},
        weights=entries,
        files=describe_files(contents),
        golden={name: made.proof.golden for name, made in proved.items()},
    )
    if evidence.test_set is not None:
        manifest = _with_quality(manifest, checkpoint, contents, search, evidence, phases)
    with phases.phase("Writing the bundle") as found:
        card = render_card(manifest, checkpoint.config.model, data=description.data)
        contents[CARD] = card.encode()
        manifest = manifest.model_copy(update={"files": describe_files(contents)})
        write_bundle(directory, manifest, contents)
        found.append(f"{sum(map(len, contents.values())) / 1e6:.1f} MB")
    return manifest


def graph_file(graph: str, variant: str) -> str:
    """Return the name of the file of a graph."""
    return f"{graph}.onnx" if variant == Precision.FP32 else f"{graph}.{variant}.onnx"


def _variant(name: str, made: ProvedVariant) -> Variant:
    return Variant(
        provider=made.lowered.provider,
        graphs={
            graph: GraphEntry(file=graph_file(graph, name), initializers=lowered.initializers)
            for graph, lowered in made.lowered.graphs.items()
        },
        state=made.lowered.state,
        parity=made.proof.parity,
        quality=None,
    )


def _with_quality(
    manifest: Manifest,
    checkpoint: Checkpoint,
    contents: Mapping[str, bytes],
    search: SearchSettings,
    evidence: Evidence,
    phases: Phases,
) -> Manifest:
    """Return the manifest with what every variant makes of the test set."""
    bundle = Bundle(manifest, checkpoint.tokenizer, contents)
    measured = {}
    assert evidence.test_set is not None
    for name, variant in manifest.variants.items():
        with phases.phase(f"Translating the test set with {name}") as found:
            quality = measure_quality(
                bundle, evidence.test, search=search, test_set=evidence.test_set, variant=name
            )
            measured[name] = variant.model_copy(update={"quality": quality})
            found.append(f"BLEU {quality.bleu:.1f}, chrF {quality.chrf:.1f}")
    return manifest.model_copy(update={"variants": measured})
