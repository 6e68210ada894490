"""What a caller asks for, once it is known to be sound; protobuf messages get no further."""

from __future__ import annotations

from dataclasses import dataclass, field

from ferryman_server.annotation import Detail
from ferryman_server.engine import LengthPenalty, Priority
from ferryman_server.text.passage import TextOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplingOptions:
    """How to draw tokens at random; None stands for what changes nothing, and for any seed."""

    seed: int | None = None
    temperature: float | None = None
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodingOptions:
    """How to search for the translation; None stands for the default of the model."""

    beam_size: int | None = None
    num_hypotheses: int | None = None
    length_penalty: float | None = None
    min_tokens: int | None = None
    """Fewest tokens of a translated sentence, without the end of the sentence."""
    max_tokens: int | None = None
    """Most tokens of a translated sentence, without the end of the sentence."""
    max_length_ratio: float | None = None
    max_length_offset: int | None = None
    min_length_ratio: float | None = None
    length_penalty_kind: LengthPenalty | None = None
    patience: float | None = None
    early_stopping: bool | None = None
    use_shortlist: bool | None = None
    coverage_penalty: float | None = None
    beam_groups: int | None = None
    diversity_penalty: float | None = None
    sampling: SamplingOptions | None = None
    repetition_penalty: float | None = None
    no_repeat_ngram_size: int | None = None
    suppress: tuple[str, ...] | None = None
    prefix_bias: float | None = None
    loop_guard_tokens: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TranslationRequest:
    """Texts to translate, and how. Made by `wire.requests`, where all of it is checked."""

    texts: tuple[str, ...]
    source_language: str | None = None
    """BCP-47 code; None where the caller leaves it to the model."""
    target_language: str | None = None
    model: str | None = None
    """``name`` or ``name@version``; None for the server's choice."""
    target_prefixes: tuple[str, ...] = ()
    """What the translation of each text starts with; none, or one for each."""
    alternatives: int = 0
    """Most probable tokens after the prefix to go on from, instead of from the best; 0: off."""
    decoding: DecodingOptions = field(default_factory=DecodingOptions)
    text: TextOptions = field(default_factory=TextOptions)
    priority: Priority = Priority.NORMAL
    client: str = ""
    """Who asks, as `Call.client`."""
    detail: Detail = field(default_factory=Detail)
    """What is to be known of each token and word."""
    deadline: float | None = None
    """The moment on `time.monotonic`'s clock after which the answer is of no use."""
