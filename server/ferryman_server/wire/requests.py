"""From protobuf requests to the values that the rest of the server works with.

Everything that a request can get wrong by itself is found here, all of it at once. What depends on
a model (whether it exists, whether it has the languages) is the catalogue's to say.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from ferryman.v1 import options_pb2, translation_service_pb2
from ferryman_server.annotation import Detail
from ferryman_server.call import caller
from ferryman_server.engine import Priority
from ferryman_server.limits import Limits
from ferryman_server.request import TranslationRequest
from ferryman_server.wire.decoding_options import SERVED, parse_decoding_options
from ferryman_server.wire.faults import Faults
from ferryman_server.wire.text_options import parse_text_options

FEATURES: Final = (
    *(f"decoding.{name}" for name in sorted(SERVED)),
    "do_not_translate",
    "glossary_config.entries",
    "mime_type",
    "output.alignments",
    "output.alternatives_at_prefix",
    "output.attention",
    "output.quality",
    "output.sentences",
    "output.tokens",
    "priority",
    "target_prefixes",
    "text.keep_newlines",
    "text.long_input",
    "text.placeholder_patterns",
    "text.protect_spans",
    "text.second_try",
    "text.split_sentences",
    "text.translated_attributes",
)
"""What this server can do beyond the plain translation of texts."""

NEED_WHOLE_DISTRIBUTION: Final = frozenset(
    (
        "decoding.repetition_penalty",
        "decoding.sampling",
        "decoding.prefix_bias",
        "target_prefixes",
    )
)
"""Features for which a model needs a graph that not every bundle has."""

_LANGUAGE: Final = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*\Z")
_REQUEST_ID: Final = re.compile(r"[\x21-\x7e]{1,128}\Z")
_MAX_LABELS: Final = 64
_MAX_LABEL_CHARACTERS: Final = 128

PRIORITIES: Final[Mapping[int, Priority]] = {
    options_pb2.PRIORITY_UNSPECIFIED: Priority.NORMAL,
    options_pb2.PRIORITY_LOW: Priority.LOW,
    options_pb2.PRIORITY_NORMAL: Priority.NORMAL,
    options_pb2.PRIORITY_HIGH: Priority.HIGH,
}


@dataclass(frozen=True, slots=True)
class OutputOptions:
    """What the response shows of a translation."""

    sentences: bool = False
    detail: Detail = field(default_factory=Detail)
    quality: bool = False
    """An estimate of the quality of each hypothesis."""


def valid_request_id(text: str) -> bool:
    """Whether a text may name a call in logs and headers."""
    return bool(_REQUEST_ID.match(text))


def parse_translation_request(
    message: translation_service_pb2.TranslateTextRequest, limits: Limits, *, deadline: float | None
) -> tuple[TranslationRequest, OutputOptions]:
    """Check a request and take it out of its message.

    Args:
        message: The request as it arrived.
        limits: What the server takes.
        deadline: On `time.monotonic`'s clock; the transport's, since no field has one.

    Raises:
        InvalidRequestError, InputTooLongError, FeatureUnavailableError: With all its faults.
    """
    faults = Faults()
    _check_texts(message, limits, faults)
    _check_call(message, faults)
    alternatives = message.output.alternatives_at_prefix
    output = output_options(message.output)
    decoding = parse_decoding_options(message.decoding, limits, faults, alternatives=alternatives)
    request = TranslationRequest(
        texts=tuple(message.contents),
        source_language=language_code(message.source_language_code, "source_language_code", faults),
        target_language=language_code(message.target_language_code, "target_language_code", faults),
        model=message.model or None,
        decoding=decoding,
        text=parse_text_options(message, limits, faults),
        target_prefixes=tuple(message.target_prefixes),
        alternatives=alternatives,
        priority=PRIORITIES.get(message.priority, Priority.NORMAL),
        client=caller(),
        detail=output.detail,
        deadline=deadline,
    )
    faults.raise_any()
    return request, output


def _check_texts(
    message: translation_service_pb2.TranslateTextRequest, limits: Limits, faults: Faults
) -> None:
    count = len(message.contents)
    if not 1 <= count <= limits.max_texts:
        faults.invalid("contents", f"must be 1 to {limits.max_texts} texts, but are {count}")
    for i, text in enumerate(message.contents):
        if len(text) > limits.max_text_characters:
            faults.too_long(f"contents[{i}]", length=len(text), limit=limits.max_text_characters)
    match message.mime_type:
        case "" | "text/plain":
            pass
        case "text/html" | "text/markdown":
            for name in ("tokens", "alignments", "attention"):
                if getattr(message.output, name):
                    faults.unavailable(f"output.{name}")
        case other:
            faults.invalid(
                "mime_type",
                f"must be text/plain, text/html or text/markdown, but is {other[:80]!r}",
            )
    prefixes = message.target_prefixes
    if prefixes and len(prefixes) != count:
        faults.invalid(
            "target_prefixes", f"must be none or one for each text, but are {len(prefixes)}"
        )
    for i, prefix in enumerate(prefixes):
        if len(prefix) > limits.max_text_characters:
            limit = limits.max_text_characters
            faults.too_long(f"target_prefixes[{i}]", length=len(prefix), limit=limit)


def _check_call(message: translation_service_pb2.TranslateTextRequest, faults: Faults) -> None:
    if message.request_id and not valid_request_id(message.request_id):
        faults.invalid("request_id", "must be at most 128 visible ASCII characters")
    labels = message.labels
    if len(labels) > _MAX_LABELS:
        faults.invalid("labels", f"must be at most {_MAX_LABELS}, but are {len(labels)}")
    if any(len(part) > _MAX_LABEL_CHARACTERS for label in labels.items() for part in label):
        faults.invalid("labels", f"must have at most {_MAX_LABEL_CHARACTERS} characters each")
    if message.priority not in PRIORITIES:
        faults.unavailable("priority")


def language_code(code: str, path: str, faults: Faults) -> str | None:
    """Return a code as it was given; None where it was left open."""
    if code and not _LANGUAGE.match(code):
        faults.invalid(path, f"must be a BCP-47 code such as 'en', but is {code[:80]!r}")
    return code or None


def output_options(message: options_pb2.OutputOptions) -> OutputOptions:
    """Take out what the response is to show."""
    return OutputOptions(
        sentences=message.sentences,
        detail=Detail(
            tokens=message.tokens,
            alignments=message.alignments,
            attention=message.attention,
            sentences=message.sentences,
        ),
        quality=message.quality,
    )
