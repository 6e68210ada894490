"""The manifest: what a bundle claims about itself, as a frozen and validated value.

``manifest.json`` has the fields of `Manifest` under the same names. Infinities are written as the
strings ``"Infinity"`` and ``"-Infinity"``, since JSON has no number for them.
"""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Annotated, Any, Final, Literal, Self

import pydantic
from pydantic import BaseModel, ConfigDict, Field, model_validator

from ferryman_bundle.errors import BundleError
from ferryman_bundle.quantization import Axis

FORMAT: Final = "ferryman-bundle"
FORMAT_VERSION: Final = 1
MANIFEST: Final = "manifest.json"
WEIGHTS: Final = "weights.safetensors"
TOKENIZER: Final = "tokenizer.model"
CARD: Final = "README.md"
LICENCE: Final = "LICENSE"
"""Names of the files that every bundle has, besides its graphs."""

Count = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(gt=0)]
FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
"""A name without any folder: what it cannot spell, it cannot reach."""
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Dimension = Annotated[int, Field(gt=0)] | Annotated[str, Field(pattern=r"^[a-z][a-z_]{0,31}$")]
"""A size, or the name of one that is known only when the graph runs."""


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")


class LanguagePair(_Section):
    """A direction of translation."""

    source: str
    """BCP-47 code."""
    target: str
    """BCP-47 code."""


class Tokens(_Section):
    """Token ids with a meaning of their own."""

    pad: Count
    unknown: Count
    bos: Count
    eos: Count
    vocabulary_size: Positive
    never_generated: tuple[Count, ...]
    """The step graph never offers these as candidates."""


class Limits(_Section):
    """Lengths the model was made for, in tokens, the end of sentence not counted."""

    max_source_tokens: Positive
    max_target_tokens: Positive


class Generation(_Section):
    """How to search when a request does not say."""

    beam_size: Positive
    length_penalty: float
    max_length_ratio: float
    """A translation has at most ratio x source tokens + offset tokens."""
    max_length_offset: Count


class StateKind(StrEnum):
    """How a decoder step treats one state tensor."""

    MEMORY = "memory"
    """Written by the encoder, read by every step, never rewritten."""
    RECURRENT = "recurrent"
    """Replaced by every step: LSTM hidden and cell, the attention vector."""
    CACHE = "cache"
    """Grows by one position a step, in place: self-attention keys and values."""


class StateTensor(_Section):
    """One tensor that lives from step to step.

    Its symbols are ``sources``, ``hypotheses`` (sources times beam width), ``source_length`` and
    ``capacity``.
    """

    name: str
    """The input of the step graph, and for memory the output of the encoder graph."""
    kind: StateKind
    dtype: Literal["float32"]
    shape: tuple[Dimension, ...]
    """Axis 0 is ``sources`` for memory and ``hypotheses`` for the others."""
    length_axis: Count | None
    """The axis of ``source_length`` or ``capacity``, if there is one."""
    padding: float
    """What memory holds beyond the end of a source."""
    output: str | None
    """The output of the step graph that replaces it; None for memory."""

    @model_validator(mode="after")
    def _axes_fit_the_kind(self) -> Self:
        first = "sources" if self.kind is StateKind.MEMORY else "hypotheses"
        if not self.shape or self.shape[0] != first:
            raise ValueError(f"axis 0 of {self.name} must be {first!r}")
        if self.length_axis is not None and self.length_axis >= len(self.shape):
            raise ValueError(f"{self.name} has no axis {self.length_axis}")
        if (self.output is None) != (self.kind is StateKind.MEMORY):
            raise ValueError(f"{self.name}: exactly the memory has no output")
        return self


class GraphEntry(_Section):
    """One ONNX graph."""

    file: FileName
    weights: tuple[str, ...]
    """External initializers, to be supplied when a session is made: these and no others, since
    ONNX Runtime refuses a name that it does not find in the graph."""


class Variant(_Section):
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


class WeightEntry(_Section):
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


class FileEntry(_Section):
    """What a file must be to be read."""

    size: Count
    """In bytes."""
    sha256: Digest


class GoldenSentence(_Section):
    """A source and the translation that greedy search must give on any machine."""

    text: str
    source_ids: tuple[Count, ...]
    """Without the end of sentence."""
    ids: tuple[Count, ...]
    """Without start and end."""
    log_prob: float
    """Sum over the tokens, the end included."""


class Parity(_Section):
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


class SearchSettings(_Section):
    """The search that a quality figure was measured with."""

    beam_size: Positive
    length_penalty: float


class Quality(_Section):
    """How well the bundle translates, measured through the engine that serves it."""

    test_set: str
    sentences: Positive
    bleu: float
    bleu_signature: str
    chrf: float
    chrf_signature: str
    search: SearchSettings


class Manifest(_Section):
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
