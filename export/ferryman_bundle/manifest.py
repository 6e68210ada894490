"""The manifest: what a bundle claims about itself, as a frozen and validated value.

``manifest.json`` has the fields of `Manifest` under the same names. Infinities are written as the
strings ``"Infinity"`` and ``"-Infinity"``, since JSON has no number for them.
"""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Annotated, Any, Final, Literal, Self

import pydantic
from pydantic import Field, model_validator

from ferryman_bundle.errors import BundleError
from ferryman_bundle.quantization import Axis
from ferryman_bundle.section import Count, Positive, Section
from ferryman_bundle.state import StateTensor

FORMAT: Final = "ferryman-bundle"
FORMAT_VERSION: Final = 1
MANIFEST: Final = "manifest.json"
WEIGHTS: Final = "weights.safetensors"
TOKENIZER: Final = "tokenizer.model"
CARD: Final = "README.md"
LICENCE: Final = "LICENSE"
"""Names of the files that every bundle has, besides its graphs."""

FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
"""A name without any folder: what it cannot spell, it cannot reach."""
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class LanguagePair(Section):
    """A direction of translation."""

    source: str
    """BCP-47 code."""
    target: str
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


class Limits(Section):
    """Lengths the model was made for, in tokens, the end of sentence not counted."""

    max_source_tokens: Positive
    max_target_tokens: Positive


class Generation(Section):
    """How to search when a request does not say."""

    beam_size: Positive
    length_penalty: float
    max_length_ratio: float
    """See `length_limit`."""
    max_length_offset: Count

    def length_limit(self, source_tokens: int) -> int:
        """Return how many tokens a translation may have, its end counted if it comes; at least 1.

        Args:
            source_tokens: Length of the source, its end not counted.
        """
        return max(1, int(self.max_length_ratio * source_tokens) + self.max_length_offset)


class GraphEntry(Section):
    """One ONNX graph."""

    file: FileName
    weights: tuple[str, ...]
    """External initializers, to be supplied when a session is made: these and no others, since
    ONNX Runtime refuses a name that it does not find in the graph."""


class Variant(Section):
    """One set of graphs, and the state that runs through them."""

    graphs: dict[str, GraphEntry]
    """By name; ``encoder`` and ``step`` are there always."""
    state: tuple[StateTensor, ...]

    @model_validator(mode="after")
    def _has_the_needed_graphs(self) -> Self:
        missing = {"encoder", "step"} - set(self.graphs)
        if missing:
            raise ValueError(f"lacks the graph {min(missing)!r}")
        return self


class Storage(StrEnum):
    """How the weights file holds a tensor; graphs always compute with float32."""

    FLOAT32 = "float32"
    INT8 = "int8"
    """Signed bytes, with a float32 scale per entry of one axis."""


class WeightEntry(Section):
    """One tensor of the weights file."""

    storage: Storage
    axis: Axis | None
    """The axis that has the scales; None for float32."""
    shape: tuple[Count, ...]

    @model_validator(mode="after")
    def _int8_has_an_axis(self) -> Self:
        if (self.storage is Storage.INT8) != (self.axis is not None):
            raise ValueError("exactly int8 has an axis")
        if self.axis is not None and len(self.shape) != 2:
            raise ValueError("only matrices are stored as int8")
        return self


class FileEntry(Section):
    """What a file must be to be read."""

    size: Count
    """In bytes."""
    sha256: Digest


class GoldenSentence(Section):
    """A source and the translation that greedy search must give on any machine."""

    text: str
    source_ids: tuple[Count, ...]
    """Without the end of sentence."""
    ids: tuple[Count, ...]
    """Without start and end."""
    log_prob: float
    """Sum over the tokens, the end included."""


class Parity(Section):
    """How the graphs of a variant differ from the model they were made from."""

    sentences: Positive
    steps: Positive
    """Decoder steps compared, over all sentences."""
    worst_difference: dict[str, float]
    """Largest absolute difference of each output and state tensor."""
    argmax_agreement: float
    """Share of the steps, under the reference translation, with the same likeliest token."""
    greedy_identity: float
    """Share of the sentences whose greedy translations are equal token for token."""
    accepted_loss: bool
    """True where the graphs fell short of the required agreement and were accepted knowingly."""


class SearchSettings(Section):
    """The search that a quality figure was measured with."""

    beam_size: Positive
    length_penalty: float


class Quality(Section):
    """How well the bundle translates, measured through the engine that serves it."""

    test_set: str
    sentences: Positive
    bleu: float
    bleu_signature: str
    chrf: float
    chrf_signature: str
    search: SearchSettings


class Manifest(Section):
    """All that a bundle says about itself."""

    format: Literal["ferryman-bundle"]
    format_version: Literal[1]
    name: str
    version: str
    description: str
    licence: str
    """SPDX expression, or a sentence; the text is in the file ``LICENSE``."""
    family: str
    """Architecture: ``transformer``."""
    parameters: Positive
    """Unique ones."""
    language_pairs: tuple[LanguagePair, ...]
    tokens: Tokens
    limits: Limits
    generation: Generation
    variants: dict[str, Variant]
    weights: dict[str, WeightEntry]
    files: dict[FileName, FileEntry]
    """Every file of the bundle but the manifest."""
    golden: tuple[GoldenSentence, ...]
    parity: dict[str, Parity]
    """By variant."""
    quality: Quality | None
    environment: dict[str, str]
    """Versions of what the bundle was made with."""

    @model_validator(mode="after")
    def _every_file_is_listed(self) -> Self:
        if "fp32" not in self.variants:
            raise ValueError("variants: lacks 'fp32'")
        graphs = [graph for v in self.variants.values() for graph in v.graphs.values()]
        needed = {WEIGHTS, TOKENIZER, CARD, LICENCE, *(graph.file for graph in graphs)}
        missing = needed - set(self.files)
        if missing:
            raise ValueError(f"files: lacks {min(missing)!r}")
        if MANIFEST in self.files:
            raise ValueError(f"files: {MANIFEST!r} cannot hold its own digest")
        unknown = {name for graph in graphs for name in graph.weights} - set(self.weights)
        if unknown:
            raise ValueError(f"weights: lacks {min(unknown)!r}")
        return self


def parse_manifest(content: bytes) -> Manifest:
    """Read ``manifest.json``.

    Raises:
        BundleError: It is no manifest, one of a newer format, or one with faults; the message
            is one line.
    """
    try:
        document: Any = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise BundleError(
            f"{MANIFEST}: is not valid JSON ({error}); fetch the bundle again"
        ) from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise BundleError(f"{MANIFEST}: is not the manifest of a ferryman bundle")
    version = document.get("format_version")
    if isinstance(version, int) and version > FORMAT_VERSION:
        raise BundleError(
            f"{MANIFEST}: has format {version}, but this ferryman reads format {FORMAT_VERSION}; "
            "upgrade ferryman"
        )
    if version != FORMAT_VERSION or isinstance(version, bool):
        raise BundleError(
            f"{MANIFEST}: has the unknown format {version!r}; this ferryman reads {FORMAT_VERSION}"
        )
    try:
        return Manifest.model_validate(document)
    except pydantic.ValidationError as error:
        raise BundleError(f"{MANIFEST}: {_faults(error)}; export the bundle again") from error


def _faults(error: pydantic.ValidationError) -> str:
    """Return the first fault and how many there are besides, in one line."""
    first, *others = error.errors(include_url=False, include_input=False)
    path = ".".join(str(part) for part in first["loc"])
    message = first["msg"].removeprefix("Value error, ")
    more = f" (and {len(others)} more)" if others else ""
    text = f"{path}: {message}{more}" if path else f"{message}{more}"
    # Names come from the file: a line feed in one must not become a line of the log.
    return text.encode("unicode_escape").decode()
