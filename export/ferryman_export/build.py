"""Making a bundle: round, trace, prove, measure, write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ferryman_bundle import Bundle, Manifest
from ferryman_bundle.lexical_shortlist import LexicalShortlist
from ferryman_bundle.manifest import (
    CARD,
    FORMAT,
    FORMAT_VERSION,
    LICENCE,
    SHORTLIST,
    TOKENIZER,
    WEIGHTS,
    GraphEntry,
    SearchSettings,
    Shortlist,
    Storage,
    Variant,
)
from ferryman_bundle.section import Section
from ferryman_bundle.weights import pack_weights
from ferryman_bundle.writer import describe_files, require_absent, write_bundle
from ferryman_export.card import render_card
from ferryman_export.description import Description, describe
from ferryman_export.gate import excess, judge, measure_loss
from ferryman_export.lowered import LoweredVariant
from ferryman_export.phases import Phases
from ferryman_export.proof import Evidence, Proof, prove
from ferryman_export.quality import quality_of, translate
from ferryman_export.recipe import FP32, INT8, PORTABLE, Recipe
from ferryman_export.rounding import round_weights
from ferryman_export.speed import measure_speed
from ferryman_export.variants import lower_variant, make_projections, weight_store
from ferryman_training.batching import TokenPair, tokenize
from ferryman_training.checkpoint import Checkpoint


@dataclass(frozen=True, slots=True)
class ProvedVariant:
    """A variant, and what was shown of it."""

    recipe: Recipe
    lowered: LoweredVariant
    proof: Proof


def build_bundle(
    checkpoint: Checkpoint,
    directory: Path,
    *,
    description: Description,
    storage: Storage,
    recipes: Sequence[Recipe],
    search: SearchSettings,
    evidence: Evidence,
    phases: Phases,
    shortlist: LexicalShortlist | None = None,
) -> Manifest:
    """Export a checkpoint into a bundle and return its manifest.

    Args:
        checkpoint: The trained model.
        directory: Of the bundle; must not exist.
        description: What the manifest and the card say.
        storage: How matrices are stored.
        recipes: Of the variants to make, the most exact first.
        search: Default search of the bundle, with which quality is measured.
        evidence: Sentences to prove it with.
        phases: Shows what is going on.
        shortlist: Of target pieces, learnt from the training corpus; None for a bundle without.

    Raises:
        ExportError: A variant falls short.
        BundleError: The directory exists.
    """
    require_absent(directory)
    with phases.phase("Rounding weights") as found:
        model = round_weights(checkpoint.model(), storage)
        parameters = sum(parameter.numel() for parameter in model.parameters())
        found.append(f"{parameters:,} parameters, {storage.value}")
    calibration = [tokenize(pair, checkpoint.tokenizer) for pair in evidence.calibration]
    store = weight_store(model)
    proved: list[ProvedVariant] = []
    for recipe in recipes:
        with phases.phase(f"Tracing {recipe.name}") as found:
            projections = make_projections(recipe, model, calibration)
            # The scorer of int8 computes in float32, so it is that of the first variant.
            scorer = proved[0].lowered.graphs["scorer"] if recipe is INT8 and proved else None
            lowered = lower_variant(
                model,
                recipe,
                projections,
                store,
                scorer=scorer,
                shortlist=shortlist is not None,
            )
            size = sum(len(graph.file) for graph in lowered.graphs.values())
            found.append(f"{len(lowered.graphs)} graphs, {size / 1e3:.0f} kB")
        proof = prove(model, checkpoint, lowered, recipe, evidence=evidence, phases=phases)
        proved.append(ProvedVariant(recipe, lowered, proof))
    weights, entries = pack_weights(store.tensors, storage)
    files = _graph_files(proved)
    contents = {
        WEIGHTS: weights,
        TOKENIZER: checkpoint.tokenizer.model,
        LICENCE: description.licence_text.encode(),
        CARD: b"",
        **({} if shortlist is None else {SHORTLIST: shortlist.pack()}),
        **{name: content for content, name in files.items()},
    }
    manifest = Manifest(
        format=FORMAT,
        format_version=FORMAT_VERSION,
        **describe(checkpoint, description, search),
        parameters=parameters,
        variants={made.recipe.name: _variant(made, files) for made in proved},
        weights=entries,
        files=describe_files(contents),
        golden={made.recipe.name: made.proof.golden for made in proved},
        shortlist=None if shortlist is None else _shortlist_section(shortlist, calibration),
    )
    if evidence.test:
        bundle = Bundle(manifest, checkpoint.tokenizer, contents)
        variants, translations = _measured(bundle, recipes, search, evidence, phases)
        manifest = manifest.model_copy(update={"variants": variants})
        if manifest.shortlist is not None:
            section = _with_cost(manifest, bundle, translations, search, evidence, phases)
            manifest = manifest.model_copy(update={"shortlist": section})
    with phases.phase("Writing the bundle") as found:
        card = render_card(manifest, checkpoint.config.model, data=description.data)
        contents[CARD] = card.encode()
        manifest = manifest.model_copy(update={"files": describe_files(contents)})
        write_bundle(directory, manifest, contents)
        found.append(f"{sum(map(len, contents.values())) / 1e6:.1f} MB")
    return manifest


def _shortlist_section(shortlist: LexicalShortlist, pairs: Sequence[TokenPair]) -> Shortlist:
    """Describe a shortlist whose cost is not known.

    Args:
        shortlist: The lists.
        pairs: Sentences of the training corpus, whose lists are counted.
    """
    counts = [len(shortlist.candidates(pair.source)) for pair in pairs]
    longest = max(counts, default=len(shortlist.always))
    return Shortlist(file=SHORTLIST, max_candidates=max(1, longest), bleu_cost=None)


def _graph_files(proved: Sequence[ProvedVariant]) -> dict[bytes, str]:
    """Return the name of the file of every graph; graphs that are the same have one file."""
    names: dict[bytes, str] = {}
    for made in proved:
        plain = made.recipe in (FP32, PORTABLE)
        for graph, lowered in made.lowered.graphs.items():
            name = f"{graph}.onnx" if plain else f"{graph}.{made.recipe.name}.onnx"
            names.setdefault(lowered.file, name)
    return names


def _variant(made: ProvedVariant, files: Mapping[bytes, str]) -> Variant:
    return Variant(
        provider=made.lowered.provider,
        graphs={
            graph: GraphEntry(
                file=files[lowered.file],
                initializers=lowered.initializers,
                columns=lowered.columns,
            )
            for graph, lowered in made.lowered.graphs.items()
        },
        state=made.lowered.state,
        parity=made.proof.parity,
        quality=None,
    )


def _measured(
    bundle: Bundle,
    recipes: Sequence[Recipe],
    search: SearchSettings,
    evidence: Evidence,
    phases: Phases,
) -> tuple[dict[str, Variant], dict[str, list[str]]]:
    """Return the variants with what each makes of the test set, and how fast; and the translations.

    Quality is held against that of the first.

    Raises:
        ExportError: One loses too much, and that was not accepted.
    """
    sources = [pair.source for pair in evidence.test]
    references = [pair.target for pair in evidence.test]
    measured: dict[str, Variant] = {}
    every: dict[str, list[str]] = {}
    first: list[str] = []
    for recipe in recipes:
        variant = bundle.manifest.variants[recipe.name]
        with phases.phase(f"Translating with {recipe.name}") as found:
            translations = translate(bundle, sources, search=search, variant=recipe.name)
            quality = quality_of(
                translations, references, search=search, test_set=evidence.test_set
            )
            found.append(f"BLEU {quality.bleu:.1f}, chrF {quality.chrf:.1f}")
        parity = variant.parity
        if first:
            loss = measure_loss(references, first, translations, name=recipes[0].name)
            quality = quality.model_copy(update={"loss": loss})
            assert parity is not None
            parity = judge(parity, excess(loss), recipe, accept_loss=evidence.accept_loss)
        first = first or translations
        every[recipe.name] = translations
        claims: dict[str, Section | None] = {"quality": quality, "parity": parity}
        if recipe.provider != "cuda":  # the CPU says nothing about the speed of a GPU
            with phases.phase(f"Timing {recipe.name}") as found:
                speed = measure_speed(bundle, sources, search=search, variant=recipe.name)
                found.append(
                    f"{speed.tokens_per_second_alone:.0f} tokens/s alone, "
                    f"{speed.tokens_per_second_together:.0f} in {speed.together}"
                )
            claims["speed"] = speed
        measured[recipe.name] = variant.model_copy(update=claims)
    return measured, every


def _with_cost(
    manifest: Manifest,
    bundle: Bundle,
    translations: Mapping[str, Sequence[str]],
    search: SearchSettings,
    evidence: Evidence,
    phases: Phases,
) -> Shortlist:
    """Return the manifest's shortlist with what it costs the variant that a CPU takes."""
    assert manifest.shortlist is not None
    name = manifest.default_variant("cpu")
    with phases.phase(f"Translating with {name} and the shortlist") as found:
        listed = translate(
            bundle,
            [pair.source for pair in evidence.test],
            search=search,
            variant=name,
            shortlist=True,
        )
        references = [pair.target for pair in evidence.test]
        loss = measure_loss(references, translations[name], listed, name="all tokens")
        found.append(f"costs {loss.bleu:.2f} BLEU ({loss.low:.2f} to {loss.high:.2f})")
    return manifest.shortlist.model_copy(update={"bleu_cost": loss.bleu, "loss": loss})
