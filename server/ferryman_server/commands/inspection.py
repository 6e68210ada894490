"""What `ferryman bundle inspect` shows: a bundle at a glance."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ferryman_bundle.manifest import Manifest, Speed, Storage, Variant
from ferryman_bundle.sealed import SealedBundle

_BYTES = {Storage.FLOAT32: 4, Storage.FLOAT16: 2, Storage.INT8: 1}
_NONE = "–"


def describe(sealed: SealedBundle) -> RenderableType:
    """Return the tables for a bundle.

    Args:
        sealed: The bundle; nothing of it need be parsed but its manifest.
    """
    manifest = sealed.manifest
    title = Text(harmless(f"{manifest.name} {manifest.version}"), "bold")
    parts: list[RenderableType] = [
        title,
        Text(harmless(manifest.description)),
        "",
        _facts(sealed),
        "",
        _variants(manifest),
    ]
    for name, variant in manifest.variants.items():
        if variant.fell_short:
            words = f"{name} fell short of what is required, and was accepted all the same."
            parts.append(Text(words, "bold yellow"))
    return Group(*parts, "", _files(sealed))


def harmless(text: str) -> str:
    """Return a text of a stranger without what a terminal obeys: escapes, turned-round letters."""
    return "".join(c if c.isprintable() or c == "\n" else "\ufffd" for c in text)


def weight_bytes(manifest: Manifest, variant: Variant) -> int:
    """Return how many bytes the tensors take on disk that a variant reads, each counted once."""
    tensors = {
        initializer.tensor
        for graph in variant.graphs.values()
        for initializer in graph.initializers.values()
    }
    total = 0
    for entry in (manifest.weights[name] for name in tensors):
        total += math.prod(entry.shape) * _BYTES[entry.storage]
        if entry.axis is not None:
            total += entry.shape[entry.axis] * _BYTES[Storage.FLOAT32]
    return total


def _facts(sealed: SealedBundle) -> Table:
    manifest = sealed.manifest
    tokens, limits, generation = manifest.tokens, manifest.limits, manifest.generation
    sealing = "" if sealed.format_version > 1 else ", whose manifest has no seal"
    facts = [
        ("languages", ", ".join(f"{p.source} → {p.target}" for p in manifest.language_pairs)),
        ("architecture", f"{manifest.family}, {manifest.parameters:,} parameters"),
        ("vocabulary", f"{tokens.vocabulary_size:,} pieces"),
        ("lengths", f"{limits.max_source_tokens} tokens in, {limits.max_target_tokens} out"),
        ("search", _search(generation.beam_size, generation.length_penalty)),
        ("shortlist", _shortlist(manifest)),
        ("graphs", _graphs(manifest)),
        ("licence", manifest.licence),
        ("made with", ", ".join(f"{n} {v}" for n, v in sorted(manifest.environment.items()))),
        ("format", f"{sealed.format_version}{sealing}"),
        ("SHA-256", sealed.digest),
    ]
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(style="cyan", no_wrap=True)
    table.add_column(overflow="fold")
    for name, fact in facts:
        if fact:
            table.add_row(name, Text(harmless(fact)))
    return table


def _variants(manifest: Manifest) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for header in ("variant", "for"):
        table.add_column(header)
    # So many as fit a terminal of 80 columns.
    numbers = ("weights", "BLEU", "chrF", "tokens/s", "argmax", "greedy", "worst")
    for header in numbers:
        table.add_column(header, justify="right")
    for name, variant in manifest.variants.items():
        quality, speed, parity = variant.quality, variant.speed, variant.parity
        table.add_row(
            Text(name, "bold"),
            variant.provider,
            _size(weight_bytes(manifest, variant)),
            f"{quality.bleu:.1f}" if quality else _NONE,
            f"{quality.chrf:.1f}" if quality else _NONE,
            _speed(speed) if speed else _NONE,
            f"{parity.argmax_agreement:.2%}" if parity else _NONE,
            f"{parity.greedy_identity:.1%}" if parity else _NONE,
            _worst(parity.worst_difference.values()) if parity else _NONE,
        )
    table.caption = _caption(manifest)
    table.caption_justify = "left"
    return table


def _caption(manifest: Manifest) -> Text:
    """Say what the figures were measured on; once for all variants of which it is the same."""
    variants: dict[str, list[str]] = {}
    for name, variant in manifest.variants.items():
        for line in _measured_on(variant):
            variants.setdefault(line, []).append(name)
    lines = [f"{', '.join(names)}: {line}" for line, names in variants.items()]
    return Text(harmless("\n".join(lines)))


def _measured_on(variant: Variant) -> Iterator[str]:
    if (quality := variant.quality) is not None:
        search = _search(quality.search.beam_size, quality.search.length_penalty)
        yield f"BLEU and chrF on {quality.sentences} sentences, {search}"
    if (parity := variant.parity) is not None:
        yield (f"held against the model over {parity.sentences} sentences, {parity.steps:,} steps")
    if (speed := variant.speed) is not None:
        search = _search(speed.search.beam_size, speed.search.length_penalty)
        yield (
            f"tokens a CPU second, one sentence at a time / {speed.together}, {search}, "
            f"one thread of {speed.device}"
        )


def _files(sealed: SealedBundle) -> Table:
    files = sealed.files
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("file")
    table.add_column("size", justify="right")
    for name, content in files.items():
        table.add_row(name, _size(len(content)))
    table.add_row(Text("together", "bold"), Text(_size(sum(map(len, files.values()))), "bold"))
    return table


def _speed(speed: Speed) -> str:
    return f"{speed.tokens_per_second_alone:,.0f}/{speed.tokens_per_second_together:,.0f}"


def _search(beam_size: int, length_penalty: float) -> str:
    if beam_size == 1:
        return "greedy"
    return f"beam {beam_size}, length penalty {length_penalty:g}"


def _graphs(manifest: Manifest) -> str:
    names = dict.fromkeys(name for v in manifest.variants.values() for name in v.graphs)
    golden = sum(map(len, manifest.golden.values()))
    return f"{', '.join(names)}; proven by {golden} golden sentences"


def _shortlist(manifest: Manifest) -> str:
    shortlist = manifest.shortlist
    if shortlist is None:
        return ""
    cost = _NONE if shortlist.bleu_cost is None else f"{shortlist.bleu_cost:.2f}"
    return f"up to {shortlist.max_candidates} tokens of a sentence, costs {cost} BLEU"


def _worst(differences: Iterable[float]) -> str:
    """Return the largest difference; one that is not a number counts as larger than any."""
    values = list(differences)
    unknown = [value for value in values if math.isnan(value)]
    return f"{(unknown or [max(values, default=0.0)])[0]:.0e}"


def _size(count: int) -> str:
    if count < 1000:
        return f"{count} B"
    return f"{count / 1e3:.1f} kB" if count < 1e6 else f"{count / 1e6:.1f} MB"
