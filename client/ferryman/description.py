"""How a server describes itself: its models, its device, its limits. Everything here is frozen."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LanguagePair:
    """A language to translate from, and one to translate into; ``str()`` is ``en-fr``."""

    source: str
    """BCP-47 code of the language to translate from."""
    target: str
    """BCP-47 code of the language to translate into."""
    models: tuple[str, ...] = ()
    """Models that translate this pair, the one that the server prefers first."""

    def __str__(self) -> str:
        return f"{self.source}-{self.target}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model that the server has; ``str()`` is ``name@version``, as requests may name it."""

    name: str
    """Name."""
    version: str
    """Version, as ``1.0.0``."""
    description: str
    """What it is, in one or two sentences."""
    license: str
    """SPDX expression of its licence."""
    family: str
    """Architecture, as ``transformer``."""
    parameters: int
    """Number of its weights."""
    variant: str
    """Form that its graphs compute in, as ``fp32``."""
    digest: str
    """SHA-256 of its manifest: two models of one digest are the same to the bit."""
    ready: bool
    """Whether it translates now."""
    default: bool
    """Whether the server uses it where a request names no model."""
    language_pairs: tuple[LanguagePair, ...]
    """Pairs that it translates."""
    max_source_tokens: int
    """Longest sentence that it reads."""
    max_target_tokens: int
    """Longest sentence that it writes."""
    quality: ModelQuality | None
    """How well it translates; None: nobody measured."""

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelQuality:
    """Figures of a model on a test set."""

    test_set: str
    """Name of the test set."""
    sentences: int
    """Sentences in the test set."""
    bleu: float
    """Corpus BLEU, from 0 to 100."""
    bleu_signature: str
    """sacreBLEU signature of ``bleu``."""
    chrf: float
    """Corpus chrF, from 0 to 100."""
    chrf_signature: str
    """sacreBLEU signature of ``chrf``."""
    search: str
    """Search that it was measured with, as ``beam 4``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Everything that a server refuses by size. None: no limit."""

    max_contents: int | None = None
    """Texts in one request."""
    max_content_characters: int | None = None
    """Code points of one text."""
    max_request_bytes: int | None = None
    """Bytes of one request message."""
    max_response_bytes: int | None = None
    """Bytes of one response message."""
    max_beam_size: int | None = None
    """Size of a beam."""
    max_num_hypotheses: int | None = None
    """Hypotheses that are returned of one text."""
    max_queued_tokens: int | None = None
    """Source tokens that wait, of all requests."""
    max_concurrent_calls: int | None = None
    """Calls at the same time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """What the models of a server run on."""

    provider: str
    """Execution provider that is really in use, as ``CPUExecutionProvider``."""
    runtime: str
    """What does the computing, as ``onnxruntime``."""
    runtime_version: str
    """Its version."""
    workers: int
    """Engine workers, each with a running batch of its own."""
    threads_per_worker: int
    """Threads that each worker computes with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerInfo:
    """What a server is."""

    version: str
    """Version of the ferryman server."""
    device: Device
    """What its models run on."""
    limits: Limits
    """Everything that it refuses by size."""
    default_model: str
    """Model of requests that name neither a model nor a language."""
    features: tuple[str, ...]
    """What it supports beyond plain translation, as ``output.alignments``."""
    started: datetime | None
    """When it started, in UTC."""
