"""The model card: what a person should know before using a bundle, made from its manifest."""

from __future__ import annotations

from collections.abc import Iterable

from ferryman_bundle.manifest import Manifest, Parity, Quality, Storage
from ferryman_training.model_config import ModelConfig, RecurrentConfig, TransformerConfig


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
        *(_parity(n, v.parity) for n, v in manifest.variants.items() if v.parity is not None),
        f"## Training data\n\n{data or 'Nothing was said about the training data at export.'}",
        f"## Licence\n\n{manifest.licence}\n\nThe full text is in the file `LICENSE`.",
        _limits(manifest),
        _environment(manifest),
    ]
    return "\n\n".join(section.strip() for section in sections) + "\n"


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
    storage = (
        "matrices as int8 with one scale per row, computed in float32"
        if Storage.INT8 in stored
        else "float32"
    )
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
            return {
                "Architecture": "Transformer, pre-norm, ReLU, tied embeddings",
                "Layers": layers,
                "Width": f"{config.width}, {heads} heads, feed-forward {hidden}",
            }
        case RecurrentConfig():
            attention = {
                "none": "without attention",
                "bahdanau": "with Bahdanau's attention",
                "luong": f"with Luong's attention ({config.score})",
            }[config.attention]
            direction = "bidirectional" if config.bidirectional else "unidirectional"
            return {
                "Architecture": f"recurrent, {config.cell.upper()}, {attention}",
                "Layers": f"{layers}; the encoder is {direction}",
                "Width": f"{config.width}",
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


def _parity(variant: str, parity: Parity) -> str:
    groups: dict[str, float] = {}
    for name, difference in parity.worst_difference.items():
        group = name.split(".")[0]
        groups[group] = max(groups.get(group, 0.0), difference)
    rows = [
        *((f"largest difference, {name}", f"{worst:.1e}") for name, worst in groups.items()),
        ("same likeliest token, given the reference", f"{parity.argmax_agreement:.2%}"),
        ("same greedy translation", f"{parity.greedy_identity:.2%}"),
    ]
    loss = (
        "\n\n**These graphs fell short of the required agreement, and were accepted all the same.**"
        if parity.accepted_loss
        else ""
    )
    return (
        f"## Agreement of the {variant} graphs with the trained model\n\n"
        f"Over {parity.sentences:,} sentences, {parity.steps:,} decoder steps. The model has the "
        f"weights as they are stored here.{loss}\n\n" + _table(("", ""), rows)
    )


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
