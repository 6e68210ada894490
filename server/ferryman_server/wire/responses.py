"""From the values that the rest of the server works with to protobuf responses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from google.protobuf import duration_pb2

from ferryman.v1 import options_pb2, translation_pb2, translation_service_pb2
from ferryman_server.annotation import PlacedToken
from ferryman_server.decoding import AppliedOptions
from ferryman_server.engine import FinishReason, LengthPenalty
from ferryman_server.engine.search import Floats
from ferryman_server.live_text import Delta
from ferryman_server.text.span import Span
from ferryman_server.translation import (
    TextHypothesis,
    TextTranslation,
    TranslatedSentence,
    TranslationResult,
    TranslationWarning,
    WarningKind,
    Work,
)
from ferryman_server.wire.requests import OutputOptions
from ferryman_server.wire.statuses import status_of
from ferryman_server.word_links import WordLink, moses

_FINISH_REASON: Final[Mapping[FinishReason, translation_pb2.FinishReason]] = {
    FinishReason.EOS: translation_pb2.FINISH_REASON_EOS,
    FinishReason.MAX_TOKENS: translation_pb2.FINISH_REASON_MAX_TOKENS,
    FinishReason.LOOP_GUARD: translation_pb2.FINISH_REASON_LOOP_GUARD,
}
_LENGTH_PENALTY_KIND: Final[Mapping[LengthPenalty, options_pb2.LengthPenaltyKind]] = {
    LengthPenalty.EXPONENT: options_pb2.LENGTH_PENALTY_KIND_EXPONENT,
    LengthPenalty.GNMT: options_pb2.LENGTH_PENALTY_KIND_GNMT,
}
_WARNING_CODE: Final[Mapping[WarningKind, translation_pb2.WarningCode]] = {
    WarningKind.SOURCE_TRUNCATED: translation_pb2.WARNING_CODE_SOURCE_TRUNCATED,
    WarningKind.SENTENCE_SPLIT: translation_pb2.WARNING_CODE_SENTENCE_SPLIT,
    WarningKind.TARGET_TRUNCATED: translation_pb2.WARNING_CODE_TARGET_TRUNCATED,
    WarningKind.ATTENTION_OMITTED: translation_pb2.WARNING_CODE_ATTENTION_OMITTED,
    WarningKind.UNKNOWN_CHARACTERS: translation_pb2.WARNING_CODE_UNKNOWN_CHARACTERS,
    WarningKind.PLACEHOLDER_LOST: translation_pb2.WARNING_CODE_PLACEHOLDER_LOST,
    WarningKind.GLOSSARY_TERM_NOT_APPLIED: (translation_pb2.WARNING_CODE_GLOSSARY_TERM_NOT_APPLIED),
    WarningKind.REPETITION: translation_pb2.WARNING_CODE_REPETITION,
    WarningKind.UNUSUAL_LENGTH: translation_pb2.WARNING_CODE_UNUSUAL_LENGTH,
    WarningKind.SOURCE_COPIED: translation_pb2.WARNING_CODE_SOURCE_COPIED,
    WarningKind.WRONG_SCRIPT: translation_pb2.WARNING_CODE_WRONG_SCRIPT,
    WarningKind.NUMBER_MISSING: translation_pb2.WARNING_CODE_NUMBER_MISSING,
    WarningKind.MARKUP_LOST: translation_pb2.WARNING_CODE_MARKUP_LOST,
    WarningKind.TRANSLATED_IN_PIECES: translation_pb2.WARNING_CODE_TRANSLATED_IN_PIECES,
}


def translation_response(
    result: TranslationResult, output: OutputOptions, *, request_id: str, total_seconds: float
) -> translation_service_pb2.TranslateTextResponse:
    """Return the response to a translation request.

    Args:
        result: What came out.
        output: What the caller wants to see of it.
        request_id: The name of the call.
        total_seconds: From the arrival of the request until now.
    """
    work = result.work
    return translation_service_pb2.TranslateTextResponse(
        translations=[translation_message(text, output, request_id) for text in result.texts],
        model=result.model,
        model_digest=result.model_digest,
        usage=usage_message(work),
        timings=translation_pb2.Timings(
            total_duration=_duration(total_seconds),
            preparation_duration=_duration(work.preparation_seconds),
            queue_duration=_duration(work.queue_seconds),
            decode_duration=_duration(work.decode_seconds),
        ),
        request_id=request_id,
        decoding=decoding_message(result.decoding),
        source_language_code=result.languages.source,
        target_language_code=result.languages.target,
    )


def delta_response(delta: Delta) -> translation_service_pb2.StreamTranslateTextResponse:
    """Return the message for a piece of a translation."""
    return translation_service_pb2.StreamTranslateTextResponse(
        delta=translation_pb2.TranslationDelta(
            index=delta.index,
            text=delta.text,
            token_count=delta.token_count,
            is_last=delta.is_last,
        )
    )


def error_translation(error: Exception, request_id: str) -> translation_pb2.Translation:
    """Return the message for a text that has no translation."""
    return translation_pb2.Translation(error=status_of(error, request_id))


def usage_message(work: Work) -> translation_pb2.Usage:
    """Return the message that says how much there was to do."""
    return translation_pb2.Usage(
        source_characters=work.characters,
        sentences=work.sentences,
        source_tokens=work.source_tokens,
        target_tokens=work.target_tokens,
    )


def translation_message(
    text: TextTranslation, output: OutputOptions, request_id: str
) -> translation_pb2.Translation:
    """Return the message for the translation of a text, or for why there is none."""
    message = translation_pb2.Translation(
        hypotheses=[_hypothesis(hypothesis, output) for hypothesis in text.hypotheses],
        warnings=map(warning_message, text.warnings),
        route=text.route,
    )
    annotation = text.hypotheses[0].annotation if text.hypotheses else None
    if annotation is not None and (output.detail.tokens or output.detail.attention):
        message.source_tokens.extend(map(token_message, annotation.source))
    message.second_try = text.is_second
    for match in text.terms:
        found = message.glossary_matches.add(source=_span(match.source), applied=match.is_applied)
        found.entry.source, found.entry.target = match.term.source, match.term.target
    if text.is_piecewise:
        message.fallback = translation_pb2.FALLBACK_PIECEWISE
    if text.error is not None:
        message.error.CopyFrom(status_of(text.error, request_id))
    return message


def warning_message(warning: TranslationWarning) -> translation_pb2.TranslationWarning:
    """Return the message for a warning."""
    return translation_pb2.TranslationWarning(
        code=_WARNING_CODE[warning.kind], message=warning.message, span=_span(warning.span)
    )


def _hypothesis(hypothesis: TextHypothesis, output: OutputOptions) -> translation_pb2.Hypothesis:
    message = translation_pb2.Hypothesis(
        translated_text=hypothesis.text,
        score=hypothesis.score,
        log_prob=hypothesis.log_prob,
        token_count=hypothesis.token_count,
        finish_reason=_FINISH_REASON[hypothesis.finish_reason],
        sentences=[_sentence(s, output) for s in hypothesis.sentences] if output.sentences else (),
        quality=hypothesis.quality if output.quality else None,
    )
    if (annotation := hypothesis.annotation) is not None:
        if output.detail.tokens or output.detail.attention:
            message.tokens.extend(map(token_message, annotation.target))
        if output.detail.alignments:
            message.alignments.extend(map(link_message, annotation.links))
            message.moses_alignments = moses(annotation.links)
        if annotation.attention is not None:
            message.attention.CopyFrom(attention_message(annotation.attention))
    return message


def token_message(token: PlacedToken) -> translation_pb2.Token:
    """Return the message for a token."""
    message = translation_pb2.Token(piece=token.piece, id=token.id, log_prob=token.log_prob)
    message.span.CopyFrom(_span(token.span))
    return message


def link_message(link: WordLink) -> translation_pb2.AlignmentLink:
    """Return the message for a link between words."""
    return translation_pb2.AlignmentLink(
        source=_span(link.source),
        target=_span(link.target),
        weight=link.weight,
        source_word=link.source_word,
        target_word=link.target_word,
    )


def attention_message(weights: Floats) -> translation_pb2.AttentionMatrix:
    """Return the message for a matrix of attention."""
    rows, columns = weights.shape
    return translation_pb2.AttentionMatrix(
        rows=rows, columns=columns, weights=weights.ravel().tolist()
    )


def _sentence(sentence: TranslatedSentence, output: OutputOptions) -> translation_pb2.Sentence:
    return translation_pb2.Sentence(
        source=_span(sentence.source),
        target=_span(sentence.target),
        score=sentence.score,
        log_prob=sentence.log_prob,
        token_count=sentence.token_count,
        finish_reason=_FINISH_REASON[sentence.finish_reason],
        quality=sentence.quality if output.quality else None,
    )


def decoding_message(options: AppliedOptions) -> options_pb2.DecodingOptions:
    """Return the message that says how texts are decoded."""
    message = options_pb2.DecodingOptions(
        beam_size=options.beam_size,
        num_hypotheses=options.num_hypotheses,
        patience=options.patience,
        length_penalty=options.length_penalty,
        length_penalty_kind=_LENGTH_PENALTY_KIND[options.length_penalty_kind],
        coverage_penalty=options.coverage_penalty,
        min_tokens=options.min_tokens,
        max_tokens=options.max_tokens,
        max_length_ratio=options.max_length_ratio,
        max_length_offset=options.max_length_offset,
        repetition_penalty=options.repetition_penalty,
        no_repeat_ngram_size=options.no_repeat_ngram_size,
        prefix_bias=options.prefix_bias,
        forbid_unknown=True,
        suppress=options.suppress,
        loop_guard_tokens=options.loop_guard_tokens,
        early_stopping=options.early_stopping,
        use_shortlist=options.use_shortlist,
        beam_groups=options.beam_groups,
        diversity_penalty=options.diversity_penalty,
        min_length_ratio=options.min_length_ratio,
    )
    if options.sampling is not None:
        message.sampling.temperature = options.sampling.temperature
        message.sampling.top_k = options.sampling.top_k
        message.sampling.top_p = options.sampling.top_p
        message.sampling.min_p = options.sampling.min_p
        message.sampling.seed = options.sampling.seed
    return message


def _span(span: Span) -> translation_pb2.Span:
    return translation_pb2.Span(start=span.start, end=span.end)


def _duration(seconds: float) -> duration_pb2.Duration:
    duration = duration_pb2.Duration()
    duration.FromNanoseconds(round(seconds * 1e9))
    return duration
