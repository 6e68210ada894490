"""Between this package's types and the messages of ferryman.v1; nothing else touches messages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC

from ferryman import description, results
from ferryman.errors import ErrorDetails, ServerError
from ferryman.search import Beam, Greedy, LengthPenalty, Sampling, Search
from ferryman.statuses import error_of_status
from ferryman.v1 import model_pb2, options_pb2, translation_pb2, translation_service_pb2

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


def request_maker(*, source: str, target: str, model: str, search: Search | None) -> MakeRequest:
    """Return what makes the requests to translate texts in this way."""
    decoding = _decoding_of(search)

    def make_request(texts: Sequence[str]) -> translation_service_pb2.TranslateTextRequest:
        return translation_service_pb2.TranslateTextRequest(
            contents=texts,
            source_language_code=source,
            target_language_code=target,
            model=model,
            decoding=decoding,
        )

    return make_request


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
        error=error_of_status(message.error) if failed else None,
    )


def _hypothesis_of(message: translation_pb2.Hypothesis) -> results.Hypothesis:
    return results.Hypothesis(
        text=message.translated_text,
        score=message.score,
        log_prob=message.log_prob,
        token_count=message.token_count,
        finish_reason=_FINISH_REASONS.get(message.finish_reason, results.FinishReason.UNKNOWN),
    )


def _warning_of(message: translation_pb2.TranslationWarning) -> results.TranslationWarning:
    try:
        name = translation_pb2.WarningCode.Name(message.code)
    except ValueError:  # a warning of a later version
        name = "WARNING_CODE_UNSPECIFIED"
    return results.TranslationWarning(
        code=name.removeprefix("WARNING_CODE_").lower(),
        message=message.message,
        span=(message.span.start, message.span.end) if message.HasField("span") else None,
    )


def _broken(response: translation_service_pb2.TranslateTextResponse, what: str) -> ServerError:
    return ServerError(
        f"the server broke its contract: {what}",
        ErrorDetails(status="INTERNAL", request_id=response.request_id),
    )


def pair_of(message: model_pb2.LanguagePair) -> description.LanguagePair:
    """Return a language pair."""
    return description.LanguagePair(
        source=message.source_language_code,
        target=message.target_language_code,
        models=tuple(message.models),
    )


def model_of(message: model_pb2.Model) -> description.Model:
    """Return the description of a model."""
    return description.Model(
        name=message.name,
        version=message.version,
        description=message.description,
        license=message.license,
        family=message.family,
        parameters=message.parameters,
        variant=message.variant,
        digest=message.digest,
        ready=message.state == model_pb2.MODEL_STATE_READY,
        default=message.is_default,
        language_pairs=tuple(pair_of(pair) for pair in message.language_pairs),
        max_source_tokens=message.max_source_tokens,
        max_target_tokens=message.max_target_tokens,
        quality=_quality_of(message.quality) if message.HasField("quality") else None,
    )


def _quality_of(message: model_pb2.ModelQuality) -> description.ModelQuality:
    return description.ModelQuality(
        test_set=message.test_set,
        sentences=message.sentences,
        bleu=message.bleu,
        bleu_signature=message.bleu_signature,
        chrf=message.chrf,
        chrf_signature=message.chrf_signature,
        search=message.search,
    )


def info_of(message: translation_service_pb2.GetServerInfoResponse) -> description.ServerInfo:
    """Return the description of a server."""
    started = message.start_time.ToDatetime(UTC) if message.HasField("start_time") else None
    device = message.device
    return description.ServerInfo(
        version=message.version,
        device=description.Device(
            provider=device.provider,
            runtime=device.runtime,
            runtime_version=device.runtime_version,
            workers=device.workers,
            threads_per_worker=device.threads_per_worker,
        ),
        limits=_limits_of(message.limits),
        default_model=message.default_model,
        features=tuple(message.features),
        started=started,
    )


def _limits_of(message: model_pb2.Limits) -> description.Limits:
    """Return limits; 0 means none on the wire, and None here."""
    return description.Limits(
        max_contents=message.max_contents or None,
        max_content_characters=message.max_content_characters or None,
        max_request_bytes=message.max_request_bytes or None,
        max_response_bytes=message.max_response_bytes or None,
        max_beam_size=message.max_beam_size or None,
        max_num_hypotheses=message.max_num_hypotheses or None,
        max_queued_tokens=message.max_queued_tokens or None,
        max_concurrent_calls=message.max_concurrent_calls or None,
    )
