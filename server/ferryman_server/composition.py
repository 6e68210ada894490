"""From the engine's hypotheses of sentences to candidate translations of texts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ferryman_server.decoding import AppliedOptions
from ferryman_server.engine import FinishReason, Hypothesis, Result
from ferryman_server.errors import InputTooLongError
from ferryman_server.model import Model
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
    results: Sequence[Result],
    options: AppliedOptions,
    model: Model,
) -> tuple[TextTranslation, ...]:
    """Put the texts together again.

    Args:
        prepared: The texts of a request.
        results: One for each sentence of the passages, in their order.
        options: How they were decoded.
        model: What decoded them.
    """
    remaining = iter(results)
    return tuple(
        TextTranslation(error=text)
        if isinstance(text, InputTooLongError)
        else _compose(text, remaining, options, model)
        for text in prepared
    )


def _compose(
    passage: Passage, remaining: Iterator[Result], options: AppliedOptions, model: Model
) -> TextTranslation:
    """Translate one text: its i-th candidate has the i-th best hypothesis of every sentence.

    A sentence that has fewer repeats its last one, so that every candidate is complete.
    """
    results = [next(remaining) for _ in passage.sentences]
    candidates = max((len(result.hypotheses) for result in results), default=1)
    hypotheses = tuple(
        _candidate(
            passage,
            [result.hypotheses[min(i, len(result.hypotheses) - 1)] for result in results],
            options,
            model,
        )
        for i in range(candidates)
    )
    return TextTranslation(
        hypotheses=hypotheses, warnings=tuple(_warnings(passage, hypotheses[0], model))
    )


def _candidate(
    passage: Passage, chosen: Sequence[Hypothesis], options: AppliedOptions, model: Model
) -> TextHypothesis:
    text, spans = passage.compose([model.tokenizer.decode(h.ids) for h in chosen])
    sentences = tuple(
        TranslatedSentence(
            source=sentence.span,
            target=span,
            score=hypothesis.score,
            log_prob=hypothesis.log_prob,
            token_count=len(hypothesis.token_log_probs),
            finish_reason=hypothesis.finish_reason,
            ids=hypothesis.ids,
            token_log_probs=hypothesis.token_log_probs,
        )
        for sentence, span, hypothesis in zip(passage.sentences, spans, chosen, strict=True)
    )
    tokens = sum(sentence.token_count for sentence in sentences)
    log_prob = sum(sentence.log_prob for sentence in sentences)
    # The engine's own figure, to the last bit, where there is one.
    score = sentences[0].score if len(sentences) == 1 else options.score(log_prob, tokens)
    return TextHypothesis(
        text=text, score=score, log_prob=log_prob, token_count=tokens, sentences=sentences
    )


def _warnings(passage: Passage, best: TextHypothesis, model: Model) -> Iterator[TranslationWarning]:
    unknown = model.manifest.tokens.unknown
    parts: list[tuple[WarningKind, Sequence[Span]]] = [
        (WarningKind.SOURCE_TRUNCATED, passage.truncated),
        (WarningKind.SENTENCE_SPLIT, passage.split),
        (
            WarningKind.UNKNOWN_CHARACTERS,
            [sentence.span for sentence in passage.sentences if unknown in sentence.tokens],
        ),
        (
            WarningKind.TARGET_TRUNCATED,
            [s.source for s in best.sentences if s.finish_reason is FinishReason.MAX_TOKENS],
        ),
    ]
    for kind, spans in parts:
        yield from (TranslationWarning(kind, span) for span in spans)
