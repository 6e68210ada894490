"""Between this package's types and the messages of ferryman.v1; nothing else touches messages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from ferryman import results
from ferryman.errors import ErrorDetails, ServerError
from ferryman.options import Output
from ferryman.search import Beam, Greedy, LengthPenalty, Sampling, Search
from ferryman.statuses import error_of_status
from ferryman.v1 import options_pb2, translation_pb2, translation_service_pb2

_FINISH_REASONS = {
    translation_pb2.FINISH_REASON_EOS: results.FinishReason.EOS,
    translation_pb2.FINISH_REASON_MAX_TOKENS: results.FinishReason.MAX_TOKENS,
    translation_pb2.FINISH_REASON_LOOP_GUARD: results.FinishReason.LOOP_GUARD,
}
_LENGTH_PENALTIES = {
    LengthPenalty.EXPONENT: options_pb2.LENGTH_PENALTY_KIND_EXPONENT,
    LengthPenalty.GNMT: options_pb2.LENGTH_PENALTY_KIND_GNMT,
}

MakeRequest = Callable[[Sequence[str]], translation_service_pb2.TranslateTextRequest]
"""Makes the requests of one call, which differ in their texts only."""


def request_maker(
    *,
    source: str = "",
    target: str = "",
    model: str = "",
    search: Search | None = None,
    output: Output | None = None,
    mime_type: str = "",
) -> MakeRequest:
    """Return what makes the requests to translate texts in this way; see `TranslateOptions`."""
    decoding, wanted = _decoding_of(search), output_of(output)

    def make_request(texts: Sequence[str]) -> translation_service_pb2.TranslateTextRequest:
        return translation_service_pb2.TranslateTextRequest(
            contents=texts,
            mime_type=mime_type,
            source_language_code=source,
            target_language_code=target,
            model=model,
            decoding=decoding,
            output=wanted,
        )

    return make_request


def output_of(output: Output | None) -> options_pb2.OutputOptions | None:
    """Return the options of an output; None where nothing more is wanted than the translation."""
    if output is None:
        return None
    return options_pb2.OutputOptions(
        tokens=output.tokens,
        alignments=output.alignments,
        attention=output.attention,
        sentences=output.sentences,
    )


def _decoding_of(search: Search | None) -> options_pb2.DecodingOptions | None:
    """Return the options of a search; None, which leaves all of them to the model, for none."""
    if search is None:
        return None
    # A field that is given None is not set.
    options = options_pb2.DecodingOptions(
        min_tokens=search.min_tokens,
        max_tokens=search.max_tokens,
        max_length_ratio=search.max_length_ratio,
        min_length_ratio=search.min_length_ratio,
        repetition_penalty=search.repetition_penalty,
        no_repeat_ngram_size=search.no_repeat_ngram_size,
        suppress=search.suppress,
        loop_guard_tokens=search.loop_guard_tokens,
    )
    match search:
        case Greedy():
            options.beam_size = options.num_hypotheses = 1
        case Beam():
            options.MergeFrom(_beam_of(search))
        case Sampling():
            options.beam_size, options.num_hypotheses = 1, search.num_hypotheses
            sampling = options_pb2.Sampling(
                temperature=search.temperature,
                top_k=search.top_k,
                top_p=search.top_p,
                min_p=search.min_p,
                seed=search.seed,
            )
            options.sampling.CopyFrom(sampling)
    return options


def _beam_of(search: Beam) -> options_pb2.DecodingOptions:
    kind = search.length_penalty_kind
    return options_pb2.DecodingOptions(
        beam_size=search.size,
        num_hypotheses=search.num_hypotheses,
        length_penalty=search.length_penalty,
        length_penalty_kind=None if kind is None else _LENGTH_PENALTIES[kind],
        coverage_penalty=search.coverage_penalty,
        patience=search.patience,
        early_stopping=search.early_stopping,
        beam_groups=search.groups,
        diversity_penalty=search.diversity_penalty,
    )


def translations_of(
    response: translation_service_pb2.TranslateTextResponse, texts: Sequence[str]
) -> list[results.Translation]:
    """Return the translations of texts, in their order.

    Raises:
        ServerError: The response breaks the contract: there must be one translation for each text,
            and each has a hypothesis or an error.
    """
    if len(response.translations) != len(texts):
        raise _broken(
            response, f"{len(response.translations)} translations came back for {len(texts)} texts"
        )
    return [
        _translation_of(message, text, response)
        for message, text in zip(response.translations, texts, strict=True)
    ]


def _translation_of(
    message: translation_pb2.Translation,
    text: str,
    response: translation_service_pb2.TranslateTextResponse,
) -> results.Translation:
    failed = message.HasField("error") and message.error.code != 0
    if not failed and not message.hypotheses:
        raise _broken(response, "a translation has neither a hypothesis nor an error")
    return results.Translation(
        source=text,
        hypotheses=tuple(_hypothesis_of(hypothesis) for hypothesis in message.hypotheses),
        model=response.model,
        source_language=message.detected_language_code or response.source_language_code,
        target_language=response.target_language_code,
        warnings=tuple(_warning_of(warning) for warning in message.warnings),
        route=tuple(message.route),
        source_tokens=tokens_of(message.source_tokens),
        error=error_of_status(message.error) if failed else None,
    )


def _hypothesis_of(message: translation_pb2.Hypothesis) -> results.Hypothesis:
    return results.Hypothesis(
        text=message.translated_text,
        score=message.score,
        log_prob=message.log_prob,
        token_count=message.token_count,
        finish_reason=_FINISH_REASONS.get(message.finish_reason, results.FinishReason.UNKNOWN),
        tokens=tokens_of(message.tokens),
        alignments=alignments_of(message.alignments),
        attention=attention_of(message.attention) if message.HasField("attention") else None,
        sentences=tuple(map(_sentence_of, message.sentences)),
    )


def _sentence_of(message: translation_pb2.Sentence) -> results.Sentence:
    return results.Sentence(
        source=span_of(message.source),
        target=span_of(message.target),
        score=message.score,
        log_prob=message.log_prob,
        token_count=message.token_count,
        finish_reason=_FINISH_REASONS.get(message.finish_reason, results.FinishReason.UNKNOWN),
    )


def span_of(message: translation_pb2.Span) -> results.Span:
    """Return a part of a text."""
    return results.Span(message.start, message.end)


def tokens_of(messages: Iterable[translation_pb2.Token]) -> tuple[results.Token, ...]:
    """Return tokens."""
    return tuple(
        results.Token(
            piece=message.piece,
            id=message.id,
            log_prob=message.log_prob,
            span=span_of(message.span),
        )
        for message in messages
    )


def alignments_of(
    messages: Iterable[translation_pb2.AlignmentLink],
) -> tuple[results.Alignment, ...]:
    """Return word links."""
    return tuple(
        results.Alignment(
            source=span_of(message.source), target=span_of(message.target), weight=message.weight
        )
        for message in messages
    )


def attention_of(message: translation_pb2.AttentionMatrix) -> results.Attention:
    """Return an attention matrix as rows."""
    weights, columns = message.weights, message.columns
    return tuple(tuple(weights[row * columns : (row + 1) * columns]) for row in range(message.rows))


def _warning_of(message: translation_pb2.TranslationWarning) -> results.TranslationWarning:
    try:
        name = translation_pb2.WarningCode.Name(message.code)
    except ValueError:  # a warning of a later version
        name = "WARNING_CODE_UNSPECIFIED"
    return results.TranslationWarning(
        code=name.removeprefix("WARNING_CODE_").lower(),
        message=message.message,
        span=span_of(message.span) if message.HasField("span") else None,
    )


def _broken(response: translation_service_pb2.TranslateTextResponse, what: str) -> ServerError:
    return ServerError(
        f"the server broke its contract: {what}",
        ErrorDetails(status="INTERNAL", request_id=response.request_id),
    )
