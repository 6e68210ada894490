"""Between this package's types and the messages that score and take apart texts."""

from __future__ import annotations

from collections.abc import Sequence

from ferryman import results
from ferryman.errors import ErrorDetails, ServerError
from ferryman.options import Output
from ferryman.statuses import error_of_status
from ferryman.v1 import translation_service_pb2 as messages
from ferryman.wire import alignments_of, attention_of, output_of, tokens_of

Pair = tuple[str, str]
"""A sentence and its translation."""


def score_request(
    pairs: Sequence[Pair],
    *,
    source: str = "",
    target: str = "",
    model: str = "",
    output: Output | None = None,
) -> messages.ScoreTextRequest:
    """Return the request to score translations."""
    return messages.ScoreTextRequest(
        pairs=[messages.TextPair(source_text=one, target_text=other) for one, other in pairs],
        source_language_code=source,
        target_language_code=target,
        model=model,
        output=output_of(output),
    )


def scores_of(
    response: messages.ScoreTextResponse, pairs: Sequence[Pair]
) -> list[results.TranslationScore]:
    """Return the scores of translations, in their order.

    Raises:
        ServerError: There is not one for each pair.
    """
    _check_count(len(response.scores), len(pairs), response.request_id)
    return [
        results.TranslationScore(
            source=source,
            target=target,
            score=message.score,
            log_prob=message.log_prob,
            token_count=message.token_count,
            model=response.model,
            source_tokens=tokens_of(message.source_tokens),
            target_tokens=tokens_of(message.target_tokens),
            alignments=alignments_of(message.alignments),
            attention=attention_of(message.attention) if message.HasField("attention") else None,
            error=error_of_status(message.error) if message.HasField("error") else None,
        )
        for message, (source, target) in zip(response.scores, pairs, strict=True)
    ]


def tokenize_request(
    texts: Sequence[str], *, source: str = "", target: str = "", model: str = ""
) -> messages.TokenizeTextRequest:
    """Return the request to take texts apart."""
    return messages.TokenizeTextRequest(
        contents=texts, model=model, source_language_code=source, target_language_code=target
    )


def tokenized_of(
    response: messages.TokenizeTextResponse, texts: Sequence[str]
) -> list[tuple[results.Token, ...]]:
    """Return the tokens of texts, in their order.

    Raises:
        ServerError: There are not as many as texts.
    """
    _check_count(len(response.texts), len(texts), response.request_id)
    return [tokens_of(message.tokens) for message in response.texts]


def _check_count(found: int, wanted: int, request_id: str) -> None:
    if found != wanted:
        raise ServerError(
            f"the server broke its contract: {found} answers came back for {wanted} texts",
            ErrorDetails(status="INTERNAL", request_id=request_id),
        )
