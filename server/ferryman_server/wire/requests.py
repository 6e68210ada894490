"""From protobuf requests to the values that the rest of the server works with.

Everything that a request can get wrong by itself is found here, all of it at once. What depends on
a model (whether it exists, whether it has the languages) is the catalogue's to say.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from ferryman.v1 import options_pb2, translation_service_pb2
from ferryman_server.limits import Limits
from ferryman_server.request import DecodingOptions, TranslationRequest
from ferryman_server.text.passage import LongInput, TextOptions
from ferryman_server.wire.faults import Faults

FEATURES: Final = (
    "decoding.beam_size",
    "decoding.num_hypotheses",
    "output.sentences",
    "text.keep_newlines",
    "text.long_input",
    "text.split_sentences",
)
"""What this server can do beyond the plain translation of texts."""

_LANGUAGE: Final = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*\Z")
_REQUEST_ID: Final = re.compile(r"[\x21-\x7e]{1,128}\Z")
_MAX_LABELS: Final = 64
_MAX_LABEL_CHARACTERS: Final = 128

_LONG_INPUT: Final[Mapping[int, LongInput]] = {
    options_pb2.LONG_INPUT_POLICY_UNSPECIFIED: LongInput.SPLIT,
    options_pb2.LONG_INPUT_POLICY_SPLIT: LongInput.SPLIT,
    options_pb2.LONG_INPUT_POLICY_TRUNCATE: LongInput.TRUNCATE,
    options_pb2.LONG_INPUT_POLICY_ERROR: LongInput.ERROR,
}
_SUPPORTED_LENGTH_PENALTIES: Final = (
    options_pb2.LENGTH_PENALTY_KIND_UNSPECIFIED,
    options_pb2.LENGTH_PENALTY_KIND_EXPONENT,
)
_SUPPORTED_PRIORITIES: Final = (options_pb2.PRIORITY_UNSPECIFIED, options_pb2.PRIORITY_NORMAL)


@dataclass(frozen=True, slots=True)
class OutputOptions:
    """What the response shows of a translation."""

    sentences: bool


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
    request = TranslationRequest(
        texts=tuple(message.contents),
        source_language=_language(message.source_language_code, "source_language_code", faults),
        target_language=_language(message.target_language_code, "target_language_code", faults),
        model=message.model or None,
        decoding=_decoding(message.decoding, limits, faults),
        text=_text_options(message.text, faults),
        deadline=deadline,
    )
    output = _output(message.output, faults)
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
        case "text/html":
            faults.unavailable("mime_type")
        case other:
            faults.invalid("mime_type", f"must be text/plain or text/html, but is {other[:80]!r}")
    prefixes = message.target_prefixes
    if prefixes and len(prefixes) != count:
        faults.invalid(
            "target_prefixes", f"must be none or one for each text, but are {len(prefixes)}"
        )
    if any(prefixes):
        faults.unavailable("target_prefixes")


def _check_call(message: translation_service_pb2.TranslateTextRequest, faults: Faults) -> None:
    if message.request_id and not valid_request_id(message.request_id):
        faults.invalid("request_id", "must be at most 128 visible ASCII characters")
    labels = message.labels
    if len(labels) > _MAX_LABELS:
        faults.invalid("labels", f"must be at most {_MAX_LABELS}, but are {len(labels)}")
    if any(len(part) > _MAX_LABEL_CHARACTERS for label in labels.items() for part in label):
        faults.invalid("labels", f"must have at most {_MAX_LABEL_CHARACTERS} characters each")
    if message.HasField("glossary_config"):
        faults.unavailable("glossary_config")
    if message.do_not_translate:
        faults.unavailable("do_not_translate")
    if message.priority not in _SUPPORTED_PRIORITIES:
        faults.unavailable("priority")


def _language(code: str, path: str, faults: Faults) -> str | None:
    if code and not _LANGUAGE.match(code):
        faults.invalid(path, f"must be a BCP-47 code such as 'en', but is {code[:80]!r}")
    return code or None


def _decoding(
    message: options_pb2.DecodingOptions, limits: Limits, faults: Faults
) -> DecodingOptions:
    _check_unsupported(message, faults)
    number = _Numbers(message, faults)
    options = DecodingOptions(
        beam_size=number.whole("beam_size", 1, limits.max_beam_size),
        num_hypotheses=number.whole("num_hypotheses", 1, limits.max_num_hypotheses),
        length_penalty=number.real("length_penalty", 0.0, 10.0),
        min_tokens=number.whole("min_tokens", 0, 1 << 20),
        max_tokens=number.whole("max_tokens", 1, 1 << 20),
        max_length_ratio=number.real("max_length_ratio", 0.0, 100.0),
        max_length_offset=number.whole("max_length_offset", 0, 1 << 20),
    )
    beam, best = options.beam_size, options.num_hypotheses
    if beam is not None and best is not None and best > beam:
        faults.invalid(
            "decoding.num_hypotheses", f"must be at most beam_size ({beam}), but is {best}"
        )
    fewest, most = options.min_tokens, options.max_tokens
    if fewest is not None and most is not None and fewest > most:
        faults.invalid(
            "decoding.min_tokens", f"must be at most max_tokens ({most}), but is {fewest}"
        )
    return options


def _check_unsupported(message: options_pb2.DecodingOptions, faults: Faults) -> None:
    """Refuse what would change the search and cannot; a value that changes nothing may be there."""
    neutral: dict[str, object] = {
        "patience": 1.0,
        "coverage_penalty": 0.0,
        "repetition_penalty": 1.0,
        "no_repeat_ngram_size": 0,
        "forbid_unknown": True,
        "replace_unknown": False,
        "use_shortlist": False,
    }
    for name, value in neutral.items():
        if message.HasField(name) and getattr(message, name) != value:
            faults.unavailable(f"decoding.{name}")
    if message.HasField("sampling"):
        faults.unavailable("decoding.sampling")
    if message.HasField("prefix_bias"):
        faults.unavailable("decoding.prefix_bias")
    if message.suppress:
        faults.unavailable("decoding.suppress")
    if message.length_penalty_kind not in _SUPPORTED_LENGTH_PENALTIES:
        faults.unavailable("decoding.length_penalty_kind")


class _Numbers:
    """Reads the tunables of a message: None where one is not set, a fault where it is outside."""

    def __init__(self, message: options_pb2.DecodingOptions, faults: Faults) -> None:
        self._message = message
        self._faults = faults

    def whole(self, name: str, least: int, most: int) -> int | None:
        value = self._within(name, least, most)
        return None if value is None else int(value)

    def real(self, name: str, least: float, most: float) -> float | None:
        value = self._within(name, least, most)
        # 0.6 travels as the float32 nearest to it, but should equal the 0.6 of a model's defaults.
        return None if value is None else float(f"{value:.7g}")

    def _within(self, name: str, least: float, most: float) -> float | None:
        if not self._message.HasField(name):
            return None
        value: float = getattr(self._message, name)
        if math.isnan(value) or not least <= value <= most:
            self._faults.invalid(
                f"decoding.{name}", f"must be from {least} to {most}, but is {value}"
            )
            return None
        return value


def _output(message: options_pb2.OutputOptions, faults: Faults) -> OutputOptions:
    for name in ("tokens", "alignments", "attention", "quality", "alternatives_at_prefix"):
        if getattr(message, name):
            faults.unavailable(f"output.{name}")
    return OutputOptions(sentences=message.sentences)


def _text_options(message: options_pb2.TextOptions, faults: Faults) -> TextOptions:
    if message.placeholder_patterns:
        faults.unavailable("text.placeholder_patterns")
    if message.long_input not in _LONG_INPUT:
        faults.unavailable("text.long_input")
    return TextOptions(
        split_sentences=not message.HasField("split_sentences") or message.split_sentences,
        keep_newlines=not message.HasField("keep_newlines") or message.keep_newlines,
        long_input=_LONG_INPUT.get(message.long_input, LongInput.SPLIT),
    )
