"""The messages of scoring and of tokenising."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ferryman.v1 import translation_pb2, translation_service_pb2
from ferryman_server.annotation import Detail, PlacedToken
from ferryman_server.engine import Priority
from ferryman_server.judge import PairScore, ScoreRequest, ScoreResult
from ferryman_server.limits import Limits
from ferryman_server.wire.faults import Faults
from ferryman_server.wire.requests import (
    PRIORITIES,
    language_code,
    output_options,
    valid_request_id,
)
from ferryman_server.wire.responses import (
    attention_message,
    link_message,
    token_message,
    usage_message,
    warning_message,
)
from ferryman_server.wire.statuses import status_of
from ferryman_server.word_links import moses


def parse_score_request(
    message: translation_service_pb2.ScoreTextRequest, limits: Limits, *, deadline: float | None
) -> ScoreRequest:
    """Check a request and take it out of its message.

    Args:
        message: The request as it arrived.
        limits: What the server takes.
        deadline: The transport's, on `time.monotonic`'s clock.

    Raises:
        InvalidRequestError, InputTooLongError, FeatureUnavailableError: With all its faults.
    """
    faults = Faults()
    _check_count("pairs", len(message.pairs), limits, faults)
    _check_request_id(message.request_id, faults)
    for i, pair in enumerate(message.pairs):
        for name in ("source_text", "target_text"):
            _check_length(f"pairs[{i}].{name}", getattr(pair, name), limits, faults)
    output = output_options(message.output)
    if output.quality:
        faults.unavailable("output.quality")
    for name in ("sentences", "alternatives_at_prefix"):
        if getattr(message.output, name):
            faults.unavailable(f"output.{name}")
    if message.priority not in PRIORITIES:
        faults.unavailable("priority")
    request = ScoreRequest(
        pairs=tuple((pair.source_text, pair.target_text) for pair in message.pairs),
        source_language=language_code(message.source_language_code, "source_language_code", faults),
        target_language=language_code(message.target_language_code, "target_language_code", faults),
        model=message.model or None,
        detail=output.detail,
        priority=PRIORITIES.get(message.priority, Priority.NORMAL),
        deadline=deadline,
    )
    faults.raise_any()
    return request


def score_response(
    result: ScoreResult, detail: Detail, request_id: str
) -> translation_service_pb2.ScoreTextResponse:
    """Return the response to a request for scores."""
    return translation_service_pb2.ScoreTextResponse(
        scores=[_score(pair, detail, request_id) for pair in result.scores],
        model=result.model.full_name,
        model_digest=result.model.digest,
        usage=usage_message(result.work),
        request_id=request_id,
    )


def _score(pair: PairScore, detail: Detail, request_id: str) -> translation_pb2.TranslationScore:
    if pair.error is not None:
        return translation_pb2.TranslationScore(error=status_of(pair.error, request_id))
    message = translation_pb2.TranslationScore(
        score=pair.score,
        log_prob=pair.log_prob,
        token_count=pair.token_count,
        warnings=[warning_message(warning) for warning in pair.warnings],
    )
    annotation = pair.annotation
    if annotation is None:
        return message
    if detail.tokens or detail.attention:
        message.source_tokens.extend(map(token_message, annotation.source))
        message.target_tokens.extend(map(token_message, annotation.target))
    if detail.alignments:
        message.alignments.extend(map(link_message, annotation.links))
        message.moses_alignments = moses(annotation.links)
    if annotation.attention is not None:
        message.attention.CopyFrom(attention_message(annotation.attention))
    return message


@dataclass(frozen=True, slots=True)
class TokenizeRequest:
    """Texts to take apart."""

    texts: tuple[str, ...]
    model: str | None
    source_language: str | None
    target_language: str | None


def parse_tokenize_request(
    message: translation_service_pb2.TokenizeTextRequest, limits: Limits
) -> TokenizeRequest:
    """Check a request and take it out of its message.

    Raises:
        InvalidRequestError, InputTooLongError: With all its faults.
    """
    faults = Faults()
    _check_count("contents", len(message.contents), limits, faults)
    _check_request_id(message.request_id, faults)
    for i, text in enumerate(message.contents):
        _check_length(f"contents[{i}]", text, limits, faults)
    request = TokenizeRequest(
        tuple(message.contents),
        message.model or None,
        language_code(message.source_language_code, "source_language_code", faults),
        language_code(message.target_language_code, "target_language_code", faults),
    )
    faults.raise_any()
    return request


def tokenized_message(tokens: Sequence[PlacedToken]) -> translation_pb2.TokenizedText:
    """Return the message for a text in tokens."""
    return translation_pb2.TokenizedText(tokens=map(token_message, tokens))


def _check_count(path: str, count: int, limits: Limits, faults: Faults) -> None:
    if not 1 <= count <= limits.max_texts:
        faults.invalid(path, f"must be 1 to {limits.max_texts}, but are {count}")


def _check_length(path: str, text: str, limits: Limits, faults: Faults) -> None:
    if len(text) > limits.max_text_characters:
        faults.too_long(path, length=len(text), limit=limits.max_text_characters)


def _check_request_id(name: str, faults: Faults) -> None:
    if name and not valid_request_id(name):
        faults.invalid("request_id", "must be at most 128 visible ASCII characters")
