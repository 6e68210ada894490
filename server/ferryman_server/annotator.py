"""Translated texts, with what is known of their tokens and words added."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ferryman_server.annotation import Detail, SentenceTokens, annotate, place_decoded, place_read
from ferryman_server.composition import PreparedText
from ferryman_server.errors import Fault, FeatureUnavailableError
from ferryman_server.model import Model, Scorer
from ferryman_server.request import TranslationRequest
from ferryman_server.runtime.scored import Scored
from ferryman_server.scoring_queue import ScoringQueue
from ferryman_server.text.passage import Passage
from ferryman_server.text.span import Span
from ferryman_server.translation import (
    TextHypothesis,
    TextTranslation,
    TranslationWarning,
    WarningKind,
)

Pair = tuple[tuple[int, ...], tuple[int, ...]]


def require_scorer(model: Model, detail: Detail) -> Scorer | None:
    """Return what looks at translations, if that is asked for.

    Raises:
        FeatureUnavailableError: The model has none, or one without attention.
    """
    if not detail.needs_attention:
        return None
    if model.scorer is None or not model.has_attention:
        raise FeatureUnavailableError(
            [
                Fault(f"output.{name}", "needs a model with attention and a scorer graph")
                for name in ("alignments", "attention")
                if getattr(detail, name)
            ]
        )
    return model.scorer


@dataclass(frozen=True, slots=True)
class Annotator:
    """Adds what a request asks for to the texts that it got.

    Args:
        queue: Where translations are scored.
        max_weights: The most weights that a matrix of attention may have.
    """

    queue: ScoringQueue
    max_weights: int

    async def scores(
        self,
        model: Model,
        texts: Sequence[TextTranslation],
        prepared: Sequence[PreparedText],
        request: TranslationRequest,
    ) -> list[Scored]:
        """Return what the model makes of every sentence of every hypothesis, in their order.

        Nothing where nobody asks for attention.

        Raises:
            FeatureUnavailableError, QueueFullError, DeadlineExceededError: As they say.
        """
        scorer = require_scorer(model, request.detail)
        if scorer is None:
            return []
        pairs = [
            pair
            for text, passage in zip(texts, prepared, strict=True)
            for hypothesis in text.hypotheses
            for pair in _pairs(hypothesis, passage)
        ]
        if not pairs:
            return []
        return await self.queue.score(scorer, pairs, request.deadline, request.priority)

    def annotated(
        self,
        model: Model,
        texts: Sequence[TextTranslation],
        prepared: Sequence[PreparedText],
        detail: Detail,
        scores: Sequence[Scored],
    ) -> tuple[TextTranslation, ...]:
        """Return the texts with what is known of them; takes its time, so not in the event loop.

        Args:
            model: What translated.
            texts: What came out.
            prepared: What went in.
            detail: What is asked for.
            scores: What `scores` returned for them.
        """
        remaining = iter(scores)

        def with_annotation(hypothesis: TextHypothesis, passage: Passage) -> TextHypothesis:
            tokens = []
            for part, sentence in zip(passage.sentences, hypothesis.sentences, strict=True):
                source = place_read(model.tokenizer, passage.text, sentence.read or part, eos)
                target = place_decoded(
                    model.tokenizer,
                    sentence.ids,
                    sentence.token_log_probs,
                    sentence.target,
                    eos,
                    read=sentence.read,
                )
                scored = next(remaining, None)
                attention = None if scored is None else scored.attention
                if attention is not None:
                    attention = attention[: len(target)]
                tokens.append(SentenceTokens(source, target, attention))
            annotation = annotate(
                tokens, passage.text, hypothesis.text, detail, max_weights=self.max_weights
            )
            return replace(hypothesis, annotation=annotation)

        def with_annotations(text: TextTranslation, passage: PreparedText) -> TextTranslation:
            if not isinstance(passage, Passage):
                return text
            hypotheses = tuple(with_annotation(h, passage) for h in text.hypotheses)
            omitted = any(h.annotation is not None and h.annotation.is_omitted for h in hypotheses)
            warning = TranslationWarning(WarningKind.ATTENTION_OMITTED, Span(0, len(passage.text)))
            return replace(
                text,
                hypotheses=hypotheses,
                warnings=(*text.warnings, warning) if omitted else text.warnings,
            )

        eos = model.manifest.tokens.eos
        return tuple(map(with_annotations, texts, prepared))


def _pairs(hypothesis: TextHypothesis, passage: PreparedText) -> list[Pair]:
    if not isinstance(passage, Passage):
        return []
    return [
        ((sentence.read or part).tokens, sentence.ids)
        for part, sentence in zip(passage.sentences, hypothesis.sentences, strict=True)
    ]
