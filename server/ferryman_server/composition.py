"""From the candidates of sentences to candidate translations of texts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ferryman_server.decoding import AppliedOptions
from ferryman_server.engine import FinishReason
from ferryman_server.errors import InputTooLongError
from ferryman_server.model import Model
from ferryman_server.rounds.attempt import Candidate, Outcome
from ferryman_server.text.passage import Passage
from ferryman_server.text.span import Span
from ferryman_server.translation import (
    TextHypothesis,
    TextTranslation,
    TranslatedSentence,
    TranslationWarning,
    WarningKind,
)

PreparedText = Passage | InputTooLongError
"""A text as sentences, or why it has no translation."""


def compose_translations(
    prepared: Sequence[PreparedText],
    outcomes: Sequence[Outcome],
    options: AppliedOptions,
    model: Model,
) -> tuple[TextTranslation, ...]:
    """Put the texts together again.

    Args:
        prepared: The texts of a request.
        outcomes: One for each sentence of the passages, in their order.
        options: How they were decoded.
        model: What decoded them.
    """
    remaining = iter(outcomes)
    return tuple(
        TextTranslation(error=text)
        if isinstance(text, InputTooLongError)
        else _compose(text, remaining, options, model)
        for text in prepared
    )


def _compose(
    passage: Passage, remaining: Iterator[Outcome], options: AppliedOptions, model: Model
) -> TextTranslation:
    """Translate one text: its i-th candidate has the i-th best hypothesis of every sentence.

    A sentence that has fewer repeats its last one, so that every candidate is complete.
    """
    outcomes = [next(remaining) for _ in passage.sentences]
    count = max((len(outcome.candidates) for outcome in outcomes), default=1)
    chosen = [
        [outcome.candidates[min(i, len(outcome.candidates) - 1)] for outcome in outcomes]
        for i in range(count)
    ]
    hypotheses = tuple(_hypothesis(passage, candidates, options) for candidates in chosen)
    return TextTranslation(
        hypotheses=hypotheses,
        warnings=tuple(_warnings(passage, outcomes, chosen[0], model)),
        is_piecewise=any(outcome.is_piecewise for outcome in outcomes),
    )


def _hypothesis(
    passage: Passage, chosen: Sequence[Candidate], options: AppliedOptions
) -> TextHypothesis:
    text, spans = passage.compose([candidate.text for candidate in chosen])
    sentences = tuple(
        TranslatedSentence(
            source=sentence.span,
            target=span,
            score=candidate.score,
            log_prob=candidate.log_prob,
            token_count=candidate.token_count,
            finish_reason=candidate.finish_reason,
            ids=candidate.ids,
            token_log_probs=candidate.token_log_probs,
            read=candidate.read,
        )
        for sentence, span, candidate in zip(passage.sentences, spans, chosen, strict=True)
    )
    tokens = sum(sentence.token_count for sentence in sentences)
    log_prob = sum(sentence.log_prob for sentence in sentences)
    # The engine's own figure, to the last bit, where there is one.
    score = sentences[0].score if len(sentences) == 1 else options.score(log_prob, tokens)
    return TextHypothesis(
        text=text, score=score, log_prob=log_prob, token_count=tokens, sentences=sentences
    )


def _warnings(
    passage: Passage, outcomes: Sequence[Outcome], best: Sequence[Candidate], model: Model
) -> Iterator[TranslationWarning]:
    unknown = model.manifest.tokens.unknown
    sentences = list(zip(passage.sentences, outcomes, best, strict=True))
    parts: list[tuple[WarningKind, Iterable[Span]]] = [
        (WarningKind.SOURCE_TRUNCATED, passage.truncated),
        (WarningKind.SENTENCE_SPLIT, passage.split),
        (WarningKind.UNKNOWN_CHARACTERS, [s.span for s, _, _ in sentences if unknown in s.tokens]),
        (
            WarningKind.TARGET_TRUNCATED,
            [s.span for s, _, c in sentences if c.finish_reason is FinishReason.MAX_TOKENS],
        ),
        (WarningKind.TRANSLATED_IN_PIECES, [s.span for s, o, _ in sentences if o.is_piecewise]),
        (WarningKind.PLACEHOLDER_LOST, [one.span for _, _, c in sentences for one in c.lost]),
    ]
    for kind, spans in parts:
        yield from (TranslationWarning(kind, span) for span in spans)
