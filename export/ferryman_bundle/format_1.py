"""Manifests of format 1, of the first release, which every later one reads.

Format 1 had one set of graphs that computed in float32, so initializers were float32 and named as
the tensors of the weights file, and what was proved and measured was not told apart by variant.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ferryman_bundle.claims import GoldenSentence, Parity, Quality
from ferryman_bundle.manifest import (
    FORMAT,
    FORMAT_VERSION,
    FileEntry,
    Generation,
    LanguagePair,
    Limits,
    Manifest,
    Tokens,
)
from ferryman_bundle.section import FileName, Label, Positive, Prose, Section
from ferryman_bundle.state import StateTensor
from ferryman_bundle.variant import (
    GraphEntry,
    GraphName,
    Initializer,
    Variant,
    VariantName,
    WeightEntry,
)


class GraphEntry1(Section):
    """One ONNX graph."""

    file: FileName
    weights: tuple[Label, ...]
    """External initializers, which have the names of stored tensors."""


class Variant1(Section):
    """One set of graphs, and the state that runs through them."""

    graphs: dict[GraphName, GraphEntry1]
    state: tuple[StateTensor, ...]

    @model_validator(mode="after")
    def _has_the_needed_graphs(self) -> Self:
        missing = {"encoder", "step"} - set(self.graphs)
        if missing:
            raise ValueError(f"lacks the graph {min(missing)!r}")
        return self


class Manifest1(Section):
    """All that a bundle of format 1 says about itself."""

    format: Literal["ferryman-bundle"]
    format_version: Literal[1]
    name: Label
    version: Label
    description: Prose
    licence: Label
    family: Label
    parameters: Positive
    language_pairs: Annotated[tuple[LanguagePair, ...], Field(min_length=1)]
    tokens: Tokens
    limits: Limits
    generation: Generation
    variants: dict[VariantName, Variant1]
    weights: dict[Label, WeightEntry]
    files: dict[FileName, FileEntry]
    golden: tuple[GoldenSentence, ...]
    """Of the variant ``fp32``."""
    parity: dict[VariantName, Parity]
    quality: Quality | None
    """Of the variant ``fp32``."""
    environment: dict[Label, Label]


def upgrade(manifest: Manifest1) -> Manifest:
    """Return what a manifest of format 1 says in today's format.

    Raises:
        pydantic.ValidationError: Its parts do not fit together.
    """
    fields = {name: getattr(manifest, name) for name in Manifest1.model_fields}
    del fields["parity"], fields["quality"]
    return Manifest.model_validate(
        fields
        | {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "variants": {
                name: Variant(
                    # No other provider ever ran them.
                    provider="cpu",
                    graphs={graph: _entry(entry) for graph, entry in variant.graphs.items()},
                    state=variant.state,
                    parity=manifest.parity.get(name),
                    quality=manifest.quality if name == "fp32" else None,
                )
                for name, variant in manifest.variants.items()
            },
            "golden": {"fp32": manifest.golden},
        }
    )


def _entry(graph: GraphEntry1) -> GraphEntry:
    return GraphEntry(
        file=graph.file,
        initializers={name: Initializer(tensor=name) for name in graph.weights},
    )
