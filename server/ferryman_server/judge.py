"""Scores of given translations, each of one sentence."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field

import numpy as np

from ferryman_server.annotation import (
    Annotation,
    Detail,
    PlacedToken,
    SentenceTokens,
    annotate,
    place_text,
)
from ferryman_server.annotator import require_scorer
from ferryman_server.catalogue import Catalogue
from ferryman_server.engine import LengthPenalty, Priority, normalise_by_length
from ferryman_server.errors import (
    Fault,
    FeatureUnavailableError,
    InputTooLongError,
    InvalidRequestError,
    ServiceError,
)
from ferryman_server.limits import Limits
from ferryman_server.model import Model, Scorer
from ferryman_server.runtime.scored import Scored
from ferryman_server.scoring_queue import ScoringQueue
from ferryman_server.text.span import Span
from ferryman_server.translation import TranslationWarning, WarningKind, Work

Tokens = tuple[tuple[int, ...], tuple[int, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreRequest:
    """Pairs to score. Made by `wire.scoring`, where all of it is checked."""

    pairs: tuple[tuple[str, str], ...]
    """Sentences and their translations."""
    source_language: str | None = None
    target_language: str | None = None
    model: str | None = None
    detail: Detail = field(default_factory=Detail)
    priority: Priority = Priority.NORMAL
    deadline: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PairScore:
    """How likely the model finds one translation, or why that cannot be said."""

    score: float = 0.0
    log_prob: float = 0.0
    token_count: int = 0
    annotation: Annotation | None = None
    warnings: tuple[TranslationWarning, ...] = ()
    error: ServiceError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreResult:
    """The answer to a `ScoreRequest`."""

    scores: tuple[PairScore, ...]
    model: Model
    work: Work


class Judge:
    """Answers requests for scores.

    Args:
        catalogue: The models.
        limits: What one request may be.
        executor: Where texts are tokenised and answers put together.
        queue: Where the model runs.
    """

    def __init__(
        self, catalogue: Catalogue, limits: Limits, executor: Executor, queue: ScoringQueue
    ) -> None:
        self._catalogue = catalogue
        self._limits = limits
        self._executor = executor
        self._queue = queue

    async def score(self, request: ScoreRequest) -> ScoreResult:
        """Score all pairs of a request.

        Raises:
            ModelNotFoundError, UnsupportedLanguagePairError: There is no model for it.
            FeatureUnavailableError: Its model lacks the graph.
            QueueFullError: Too much waits already.
            DeadlineExceededError: The deadline passed.
        """
        route = self._catalogue.route(
            request.model, request.source_language, request.target_language
        )
        if route.before is not None:
            fault = Fault(
                "target_language_code", "only one model can score, and none has this pair"
            )
            raise FeatureUnavailableError([fault])
        with route.model.uses:
            return await self._score(request, route.model)

    async def _score(self, request: ScoreRequest, model: Model) -> ScoreResult:
        scorer = _scorer(model, request.detail)
        loop = asyncio.get_running_loop()
        prepared = await loop.run_in_executor(self._executor, _prepare, request.pairs, model)
        due = [tokens for tokens in prepared if isinstance(tokens, tuple)]
        scored = (
            await self._queue.score(scorer, due, request.deadline, request.priority) if due else []
        )
        scores = await loop.run_in_executor(
            self._executor, self._judge, request, model, prepared, scored
        )
        return ScoreResult(scores=scores, model=model, work=_work(request, due))

    async def tokenize(self, model: Model, texts: Sequence[str]) -> list[tuple[PlacedToken, ...]]:
        """Return the tokens of texts, text by text so that large requests take turns."""
        loop, eos = asyncio.get_running_loop(), model.manifest.tokens.eos

        def tokens(text: str) -> tuple[PlacedToken, ...]:
            return place_text(model.tokenizer, text, Span(0, len(text)), eos)[:-1]

        return [await loop.run_in_executor(self._executor, tokens, text) for text in texts]

    def _judge(
        self,
        request: ScoreRequest,
        model: Model,
        prepared: Sequence[Tokens | ServiceError | None],
        scored: Sequence[Scored],
    ) -> tuple[PairScore, ...]:
        remaining = iter(scored)
        scores = []
        for texts, tokens in zip(request.pairs, prepared, strict=True):
            if tokens is None:
                scores.append(PairScore())
            elif isinstance(tokens, ServiceError):
                scores.append(PairScore(error=tokens))
            else:
                scores.append(self._one(request.detail, model, texts, next(remaining)))
        return tuple(scores)

    def _one(
        self, detail: Detail, model: Model, texts: tuple[str, str], scored: Scored
    ) -> PairScore:
        log_prob = float(np.sum(scored.token_log_probs, dtype=np.float64))
        count = len(scored.token_log_probs)
        penalty = model.manifest.generation.length_penalty
        annotation = _annotation(detail, model, texts, scored, self._limits)
        omitted = annotation is not None and annotation.is_omitted
        whole = TranslationWarning(WarningKind.ATTENTION_OMITTED, Span(0, len(texts[0])))
        return PairScore(
            score=normalise_by_length(log_prob, count, penalty, LengthPenalty.EXPONENT),
            log_prob=log_prob,
            token_count=count,
            annotation=annotation,
            warnings=(whole,) if omitted else (),
        )


def _scorer(model: Model, detail: Detail) -> Scorer:
    scorer = require_scorer(model, detail) or model.scorer
    if scorer is None:
        fault = Fault("model", "has no scorer graph; export its checkpoint anew")
        raise FeatureUnavailableError([fault])
    return scorer


def _prepare(pairs: Sequence[tuple[str, str]], model: Model) -> list[Tokens | ServiceError | None]:
    return [_tokens(i, source, target, model) for i, (source, target) in enumerate(pairs)]


def _tokens(index: int, source: str, target: str, model: Model) -> Tokens | ServiceError | None:
    """Return the tokens of a pair, what is wrong with it, or None where both are blank."""
    source_ids = tuple(model.tokenizer.encode(source))
    target_ids = tuple(model.tokenizer.encode(target))
    if not source_ids:
        fault = Fault(f"pairs[{index}].source_text", "must have words where its translation has")
        return InvalidRequestError([fault]) if target_ids else None
    limits = model.manifest.limits
    for name, ids, limit in (
        ("source_text", source_ids, limits.max_source_tokens),
        ("target_text", target_ids, limits.max_target_tokens),
    ):
        if len(ids) > limit:
            description = f"must have at most {limit} tokens, but has {len(ids)}"
            fault = Fault(f"pairs[{index}].{name}", description)
            return InputTooLongError([fault], length=len(ids), limit=limit, unit="tokens")
    return source_ids, target_ids


def _annotation(
    detail: Detail,
    model: Model,
    texts: tuple[str, str],
    scored: Scored,
    limits: Limits,
) -> Annotation | None:
    if not detail:
        return None
    eos = model.manifest.tokens.eos
    source, target = (
        place_text(model.tokenizer, text, Span(0, len(text)), eos, log_probs=log_probs)
        for text, log_probs in zip(texts, ((), scored.token_log_probs.tolist()), strict=True)
    )
    sentence = SentenceTokens(source, target, scored.attention)
    return annotate([sentence], *texts, detail, max_weights=limits.max_attention_weights)


def _work(request: ScoreRequest, due: Sequence[Tokens]) -> Work:
    return Work(
        characters=sum(len(source) for source, _ in request.pairs),
        sentences=len(due),
        source_tokens=sum(len(source) + 1 for source, _ in due),
        target_tokens=sum(len(target) + 1 for _, target in due),
    )
