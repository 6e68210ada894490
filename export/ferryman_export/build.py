"""Making a bundle: round, trace, prove, measure, write."""

from __future__ import annotations

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
    Initializer,
    SearchSettings,
    Storage,
    Variant,
)
from ferryman_bundle.weights import pack_weights
from ferryman_bundle.writer import describe_files, require_absent, write_bundle
from ferryman_export.card import render_card
from ferryman_export.description import Description, describe
from ferryman_export.errors import ExportError
from ferryman_export.lowering import lower
from ferryman_export.phases import Phases
from ferryman_export.proof import Evidence, prove
from ferryman_export.quality import measure_quality
from ferryman_export.rounding import round_weights
from ferryman_export.transformer_graphs import (
    EncoderGraph,
    StepGraph,
    require_graphs,
    state_tensors,
)
from ferryman_training.checkpoint import Checkpoint
from ferryman_training.transformer import Transformer


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
    require_absent(directory)
    with phases.phase("Rounding weights") as found:
        trained = checkpoint.model()
        if not isinstance(trained, Transformer):
            raise ExportError(f"models of the family {trained.config.family} have no graphs yet")
        require_graphs(trained.config)
        model = round_weights(trained, storage)
        parameters = sum(parameter.numel() for parameter in model.parameters())
        found.append(f"{parameters:,} parameters, {storage.value}")
    with phases.phase("Tracing graphs") as found:
        lowered = lower({"encoder": EncoderGraph(model), "step": StepGraph(model)})
        found += [f"{name} {len(g.file) / 1e3:.0f} kB" for name, g in lowered.graphs.items()]
    state = tuple(state_tensors(model.config))
    proof = prove(model, checkpoint, lowered, state, evidence=evidence, phases=phases)
    weights, entries = pack_weights(lowered.tensors, storage)
    graphs = {
        name: GraphEntry(
            file=f"{name}.onnx",
            initializers={weight: Initializer(tensor=weight) for weight in graph.weights},
        )
        for name, graph in lowered.graphs.items()
    }
    contents = {
        WEIGHTS: weights,
        TOKENIZER: checkpoint.tokenizer.model,
        LICENCE: description.licence_text.encode(),
        CARD: b"",
        **{graphs[name].file: graph.file for name, graph in lowered.graphs.items()},
    }
    manifest = Manifest(
        format=FORMAT,
        format_version=FORMAT_VERSION,
        **describe(checkpoint, description, search),
        parameters=parameters,
        variants={
            "fp32": Variant(
                provider="cpu", graphs=graphs, state=state, parity=proof.parity, quality=None
            )
        },
        weights=entries,
        files=describe_files(contents),
        golden={"fp32": proof.golden},
    )
    if evidence.test_set is not None:
        with phases.phase("Translating the test set") as found:
            bundle = Bundle(manifest, checkpoint.tokenizer, contents)
            quality = measure_quality(
                bundle, evidence.test, search=search, test_set=evidence.test_set
            )
            measured = manifest.variants["fp32"].model_copy(update={"quality": quality})
            manifest = manifest.model_copy(update={"variants": {"fp32": measured}})
            found.append(f"BLEU {quality.bleu:.1f}, chrF {quality.chrf:.1f}")
    with phases.phase("Writing the bundle") as found:
        card = render_card(manifest, model.config, data=description.data)
        contents[CARD] = card.encode()
        manifest = manifest.model_copy(update={"files": describe_files(contents)})
        write_bundle(directory, manifest, contents)
        found.append(f"{sum(map(len, contents.values())) / 1e6:.1f} MB")
    return manifest
