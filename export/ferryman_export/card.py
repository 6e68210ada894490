"""The model card: what a person should know before using a bundle, made from its manifest."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final

from ferryman_bundle.manifest import Manifest, Parity, Quality, Speed, Storage
from ferryman_training.model_config import ModelConfig, RecurrentConfig, TransformerConfig

_STORED: Final = {
    Storage.INT8: "matrices as int8 with one scale per row, the rest as float32",
    Storage.FLOAT16: "float16",
    Storage.FLOAT32: "float32",
}
_MADE_FOR: Final = {"cpu": "CPU", "cuda": "CUDA", "any": "any provider"}
_ACTIVATIONS: Final = {"relu": "ReLU", "gelu": "GELU", "swiglu": "SwiGLU"}
_TIED: Final = {
    "all": "source, target and output are one matrix",
    "output": "target and output are one matrix",
    "none": "source, target and output have matrices of their own",
}


def render_card(manifest: Manifest, config: ModelConfig, *, data: str | None) -> str:
    """Return the card as Markdown.

    Args:
        manifest: Of the bundle.
        config: Of the model.
        data: What is to be said of the training data, Markdown; None where nothing was given.
    """
    sections = [
        _title(manifest),
        _use(manifest),
        _model(manifest, config),
        _quality(manifest.quality),
        _variants(manifest),
        _shortlist(manifest),
        _agreement(manifest),
        f"## Training data\n\n{data or 'Nothing was said about the training data at export.'}",
        f"## Licence\n\n{manifest.licence}\n\nThe full text is in the file `LICENSE`.",
        _limits(manifest),
        _environment(manifest),
    ]
    return "\n\n".join(section.strip() for section in sections if section) + "\n"


def _title(manifest: Manifest) -> str:
    pairs = ", ".join(f"{pair.source} → {pair.target}" for pair in manifest.language_pairs)
    return (
        f"# {manifest.name} {manifest.version}\n\n{manifest.description}\n\n**Languages:** {pairs}"
    )


def _use(manifest: Manifest) -> str:
    return f"""## Use

```sh
ferryman serve path/to/{manifest.name}
ferryman translate "How do I install a package?"
```

Intended for translating single sentences and short paragraphs of the kind it was trained on. A
translation may be wrong, leave something out or add something, and reads fluently all the same:
let a person who knows both languages check whatever matters."""


def _model(manifest: Manifest, config: ModelConfig) -> str:
    stored = {entry.storage for entry in manifest.weights.values()}
    storage = next(text for kind, text in _STORED.items() if kind in stored)
    size = sum(file.size for file in manifest.files.values()) / 1e6
    rows = {
        **_architecture(config),
        "Vocabulary": f"{manifest.tokens.vocabulary_size:,} SentencePiece pieces, byte fallback",
        "Parameters": f"{manifest.parameters:,}",
        "Weights": f"{storage}; {size:.1f} MB in all",
    }
    return "## Model\n\n" + _table(("", ""), rows.items())


def _architecture(config: ModelConfig) -> dict[str, str]:
    """Return what is to be said of a model of either family."""
    layers = f"{config.encoder_layers} encoder, {config.decoder_layers} decoder"
    match config:
        case TransformerConfig():
            heads, hidden = config.heads, config.feed_forward
            activation = _ACTIVATIONS[config.activation]
            return {
                "Architecture": f"Transformer, {config.norm}-norm, {activation}, "
                f"{config.positions} positions",
                "Layers": layers,
                "Width": f"{config.width}, {heads} heads, feed-forward {hidden}",
                "Embeddings": _TIED[config.tied_embeddings],
            }
        case RecurrentConfig():
            attention = {
                "none": "without attention",
                "bahdanau": "with Bahdanau's attention",
                "luong": f"with Luong's attention ({config.score})",
            }[config.attention]
            feeding = ", input feeding" if config.input_feeding else ""
            tied = "all" if config.tied_embeddings else "none"
            direction = "bidirectional" if config.bidirectional else "unidirectional"
            return {
                "Architecture": f"recurrent, {config.cell.upper()}, {attention}{feeding}",
                "Layers": f"{layers}; the encoder is {direction}",
                "Width": f"{config.width}",
                "Embeddings": _TIED[tied],
            }


def _quality(quality: Quality | None) -> str:
    if quality is None:
        return "## Quality\n\nNot measured at export. Measure it with `ferryman evaluate`."
    search = quality.search
    how = (
        "greedy search"
        if search.beam_size == 1
        else f"beam {search.beam_size}, length penalty {search.length_penalty:g}"
    )
    # A signature has vertical bars, which would end the cell of a table.
    return f"""## Quality

On {quality.test_set} ({quality.sentences:,} sentences), {how}, through the engine that serves the
bundle:

- **BLEU {quality.bleu:.1f}**, `{quality.bleu_signature}`
- **chrF {quality.chrf:.1f}**, `{quality.chrf_signature}`"""


def _variants(manifest: Manifest) -> str:
    """Return the variants side by side, and which of them fell short."""
    header = (
        "variant",
        "made for",
        "graphs",
        "BLEU",
        "chrF",
        "BLEU lost",
        "tokens/s",
        "golden sentences",
    )
    rows = [_variant_row(manifest, name) for name in manifest.variants]
    short = [name for name, variant in manifest.variants.items() if variant.fell_short]
    warning = "".join(
        f"\n\n**The variant {name} fell short of what is required, and was accepted all the same.**"
        for name in short
    )
    losses = {variant.quality.loss for variant in manifest.variants.values() if variant.quality}
    explained = (
        " BLEU lost is against the first variant, with its 95 % interval by paired bootstrap."
        if losses - {None}
        else ""
    )
    return (
        "## Variants\n\nSets of graphs that compute the same model in different numbers, with the "
        f"same weights.{explained}{_timed_on(manifest)}{warning}\n\n" + _table(header, rows)
    )


def _variant_row(manifest: Manifest, name: str) -> tuple[str, ...]:
    variant = manifest.variants[name]
    size = sum(manifest.files[graph.file].size for graph in variant.graphs.values())
    quality, loss = variant.quality, None
    if quality is not None:
        loss = quality.loss
    return (
        name,
        _MADE_FOR[variant.provider],
        f"{len(variant.graphs)}, {size / 1e3:,.0f} kB",
        f"{quality.bleu:.1f}" if quality else "–",
        f"{quality.chrf:.1f}" if quality else "–",
        f"{loss.bleu:.2f} ({loss.low:.2f} to {loss.high:.2f})" if loss else "–",
        _tokens_per_second(variant.speed),
        f"{len(manifest.golden.get(name, ()))}",
    )


def _tokens_per_second(speed: Speed | None) -> str:
    if speed is None:
        return "–"
    return f"{speed.tokens_per_second_alone:,.0f} / {speed.tokens_per_second_together:,.0f}"


def _timed_on(manifest: Manifest) -> str:
    """Return what the speeds of the table were measured on."""
    speeds = [variant.speed for variant in manifest.variants.values() if variant.speed]
    if not speeds:
        return ""
    speed = speeds[0]
    return (
        f" Tokens/s are target tokens a CPU second, one sentence at a time / {speed.together}, "
        f"with the search above, one thread of {speed.device}."
    )


def _shortlist(manifest: Manifest) -> str:
    """Return what is to be said of the shortlist; nothing where there is none."""
    shortlist = manifest.shortlist
    if shortlist is None:
        return ""
    loss = shortlist.loss
    cost = "What that costs was not measured."
    if loss is not None:
        cost = (
            f"On the test set above that costs **{loss.bleu:.2f} BLEU** (95 % interval "
            f"{loss.low:.2f} to {loss.high:.2f})."
        )
    return (
        "## Shortlist\n\nA request may ask for a translation of likely tokens only, which takes "
        f"less time: up to {shortlist.max_candidates:,} of {manifest.tokens.vocabulary_size:,}, "
        f"chosen for each sentence by its source. {cost} It is off unless a request asks for it."
    )


def _agreement(manifest: Manifest) -> str:
    """Return how the graphs of each variant differ from the model in torch."""
    proved = {name: v.parity for name, v in manifest.variants.items() if v.parity is not None}
    if not proved:
        return "## Agreement with the trained model\n\nNot measured at export."
    first = next(iter(proved.values()))
    worst = {name: _worst(parity) for name, parity in proved.items()}
    groups = list(dict.fromkeys(group for found in worst.values() for group in found))
    rows = [
        *(
            (f"largest difference, {g}", *(f"{found.get(g, 0.0):.1e}" for found in worst.values()))
            for g in groups
        ),
        (
            "same likeliest token, given the reference",
            *(f"{parity.argmax_agreement:.2%}" for parity in proved.values()),
        ),
        (
            "same greedy translation",
            *(f"{parity.greedy_identity:.2%}" for parity in proved.values()),
        ),
    ]
    return (
        f"## Agreement with the trained model\n\nOver {first.sentences:,} sentences, "
        f"{first.steps:,} decoder steps, each of which feeds both with the reference. The model "
        "computes in float32, with the weights as they are stored here.\n\n"
        + _table(("", *proved), rows)
    )


def _worst(parity: Parity) -> dict[str, float]:
    """Return the largest difference of each group of tensors; what is no number stays none."""
    groups: dict[str, float] = {}
    for name, difference in parity.worst_difference.items():
        group = name.split(".")[0]
        groups[group] = max(groups.get(group, 0.0), difference, key=lambda x: (math.isnan(x), x))
    return groups


def _limits(manifest: Manifest) -> str:
    limits, generation = manifest.limits, manifest.generation
    return f"""## Limits

- Sources of up to {limits.max_source_tokens} tokens, as in training; split longer text into sentences.
- Translations of up to {limits.max_target_tokens} tokens, and at most {generation.max_length_ratio:g} times the source and {generation.max_length_offset} more.
- Search, unless a request says otherwise: beam {generation.beam_size}, length penalty {generation.length_penalty:g}.
- {sum(map(len, manifest.golden.values()))} golden sentences are in the manifest; a machine that answers them otherwise computes wrongly."""  # noqa: E501


def _environment(manifest: Manifest) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in manifest.environment.items())
    return f"## Made with\n\n{versions}"


def _table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [header, ("---",) * len(header), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
