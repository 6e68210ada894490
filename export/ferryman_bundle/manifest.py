"""The manifest: what a bundle claims about itself, as a frozen and validated value.

``manifest.json`` has the fields of `Manifest` under the same names. Infinities are written as the
strings ``"Infinity"`` and ``"-Infinity"``, since JSON has no number for them.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from ferryman_bundle.claims import GoldenSentence, Loss, Parity, Quality, SearchSettings, Speed
from ferryman_bundle.errors import BundleError
from ferryman_bundle.section import Count, FileName, Finite, Label, Positive, Prose, Section
from ferryman_bundle.variant import (
    GraphEntry,
    Initializer,
    Part,
    Storage,
    Variant,
    VariantName,
    WeightEntry,
)

__all__ = [
    "CARD",
    "FORMAT",
    "FORMAT_VERSION",
    "LICENCE",
    "MANIFEST",
    "SEAL",
    "SHORTLIST",
    "TOKENIZER",
    "WEIGHTS",
    "FileEntry",
    "Generation",
    "GoldenSentence",
    "GraphEntry",
    "Initializer",
    "LanguagePair",
    "Limits",
    "Manifest",
    "Parity",
    "Part",
    "Quality",
    "SearchSettings",
    "Shortlist",
    "Speed",
    "Storage",
    "Tokens",
    "Variant",
    "WeightEntry",
]

FORMAT: Final = "ferryman-bundle"
FORMAT_VERSION: Final = 2
MANIFEST: Final = "manifest.json"
SEAL: Final = "manifest.sha256"
"""The SHA-256 of the manifest, as ``sha256sum`` writes it; bundles of format 1 have none."""
WEIGHTS: Final = "weights.safetensors"
TOKENIZER: Final = "tokenizer.model"
CARD: Final = "README.md"
LICENCE: Final = "LICENSE"
"""Names of the files that every bundle has, besides its graphs."""
SHORTLIST: Final = "shortlist.safetensors"
"""Name of the file that a bundle with a shortlist has."""

_CHEAP_BLEU: Final = 0.2
"""What a shortlist may cost that is used by default."""
_PREFERRED: Final = {"cpu": ("int8", "fp32", "portable"), "cuda": ("fp16", "fp32", "portable")}
"""Variants that a device takes unless it is told otherwise, the best one first."""


class LanguagePair(Section):
    """A direction of translation."""

    source: Label
    """BCP-47 code."""
    target: Label
    """BCP-47 code."""


class Tokens(Section):
    """Token ids with a meaning of their own."""

    pad: Count
    unknown: Count
    bos: Count
    eos: Count
    vocabulary_size: Positive
    never_generated: tuple[Count, ...]
    """The step graph never offers these as candidates."""

    @model_validator(mode="after")
    def _are_in_the_vocabulary(self) -> Self:
        highest = max(self.pad, self.unknown, self.bos, self.eos, *self.never_generated)
        if highest >= self.vocabulary_size:
            raise ValueError(f"there is no token {highest}")
        return self


class Limits(Section):
    """Lengths the model was made for, in tokens, the end of sentence not counted."""

    max_source_tokens: Annotated[Positive, Field(le=1 << 20)]
    max_target_tokens: Annotated[Positive, Field(le=1 << 20)]


class Generation(Section):
    """How to search when a request does not say."""

    beam_size: Annotated[Positive, Field(le=1 << 10)]
    length_penalty: Finite
    max_length_ratio: Annotated[Finite, Field(ge=0, le=1 << 10)]
    """See `length_limit`."""
    max_length_offset: Annotated[Count, Field(le=1 << 20)]

    def length_limit(self, source_tokens: int) -> int:
        """Return how many tokens a translation may have, its end counted if it comes; at least 1.

        Args:
            source_tokens: Length of the source, its end not counted.
        """
        return max(1, int(self.max_length_ratio * source_tokens) + self.max_length_offset)


class FileEntry(Section):
    """What a file must be to be read."""

    size: Count
    """In bytes."""
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Shortlist(Section):
    """For every source token, the target tokens that it may become."""

    file: FileName
    max_candidates: Positive
    """The longest list of a sentence."""
    bleu_cost: Finite | None
    """BLEU of the whole vocabulary less BLEU with the list; None where it was not measured."""
    loss: Loss | None = None
    """The same with its interval."""

    @property
    def is_cheap(self) -> bool:
        """Whether it is known to cost so little that it is used unless a request says otherwise."""
        return self.bleu_cost is not None and self.bleu_cost < _CHEAP_BLEU


class Manifest(Section):
    """All that a bundle says about itself."""

    format: Literal["ferryman-bundle"]
    format_version: Literal[2]
    name: Label
    version: Label
    description: Prose
    licence: Label
    """SPDX expression, or a sentence; the text is in the file ``LICENSE``."""
    family: Label
    """Architecture: ``transformer``, ``recurrent``."""
    parameters: Positive
    """Unique ones."""
    language_pairs: Annotated[tuple[LanguagePair, ...], Field(min_length=1)]
    tokens: Tokens
    limits: Limits
    generation: Generation
    variants: dict[VariantName, Variant]
    """``fp32`` always, or ``portable`` alone."""
    weights: dict[Label, WeightEntry]
    files: dict[FileName, FileEntry]
    """Every file of the bundle but the manifest."""
    golden: dict[VariantName, tuple[GoldenSentence, ...]]
    """By variant."""
    shortlist: Shortlist | None = None
    environment: dict[Label, Label]
    """Versions of what the bundle was made with."""

    @property
    def quality(self) -> Quality | None:
        """How well the variant that a CPU takes translates."""
        return self.variants[self.default_variant("cpu")].quality

    @property
    def prefers_shortlist(self) -> bool:
        """Whether to choose from the shortlist unless a request says otherwise."""
        everywhere = all("step_shortlist" in variant.graphs for variant in self.variants.values())
        return everywhere and self.shortlist is not None and self.shortlist.is_cheap

    def default_variant(self, device: Literal["cpu", "cuda"]) -> str:
        """Return the variant that a device takes unless it is told otherwise.

        One that fell short is never taken by itself while another is there.

        Raises:
            BundleError: None was made for this device.
        """
        fit = [
            name
            for name in _PREFERRED[device]
            if name in self.variants and self.variants[name].provider in (device, "any")
        ]
        if not fit:
            others = ", ".join(sorted(self.variants))
            raise BundleError(
                f"{MANIFEST}: has no variant for {device}, only {others}; export the bundle for it"
            )
        return next((name for name in fit if not self.variants[name].fell_short), fit[-1])

    @model_validator(mode="after")
    def _every_file_is_listed(self) -> Self:
        if "fp32" not in self.variants and set(self.variants) != {"portable"}:
            raise ValueError("variants: lacks 'fp32'")
        graphs = {graph.file for v in self.variants.values() for graph in v.graphs.values()}
        lists = {self.shortlist.file} if self.shortlist is not None else set()
        missing = {WEIGHTS, TOKENIZER, CARD, LICENCE, *graphs, *lists} - set(self.files)
        if missing:
            raise ValueError(f"files: lacks {min(missing)!r}")
        for name in (MANIFEST, SEAL):
            if name in self.files:
                raise ValueError(f"files: {MANIFEST!r} cannot hold the digest of {name!r}")
        return self

    @model_validator(mode="after")
    def _every_initializer_is_stored(self) -> Self:
        for name, variant in self.variants.items():
            for graph, entry in variant.graphs.items():
                for initializer in (*entry.initializers.values(), *entry.columns.values()):
                    if initializer.tensor not in self.weights:
                        raise ValueError(f"weights: lacks {initializer.tensor!r}")
                    fault = initializer.fault(self.weights[initializer.tensor])
                    if fault is not None:
                        raise ValueError(f"variants.{name}.graphs.{graph}: {fault}")
        return self

    @model_validator(mode="after")
    def _golden_sentences_fit(self) -> Self:
        unknown = set(self.golden) - set(self.variants)
        if unknown:
            raise ValueError(f"golden: there is no variant {min(unknown)!r}")
        for sentences in self.golden.values():
            highest = max((i for g in sentences for i in (*g.source_ids, *g.ids)), default=0)
            if highest >= self.tokens.vocabulary_size:
                raise ValueError(f"golden: there is no token {highest}")
        return self
