"""A request through the model: sentences, tokens, engine, and texts again."""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

from ferryman_server.alignment import align_documents
from ferryman_server.annotator import Annotator, require_scorer
from ferryman_server.catalogue import Catalogue, Route
from ferryman_server.composition import PreparedText, compose_translations
from ferryman_server.decoding import AppliedOptions, apply_options
from ferryman_server.engine import Job, Result
from ferryman_server.engine_calls import decode
from ferryman_server.errors import (
    DeadlineExceededError,
    Fault,
    InputTooLongError,
    QueueFullError,
    ServerDrainingError,
)
from ferryman_server.jobs import plan_rounds
from ferryman_server.limits import Limits
from ferryman_server.live_text import LiveTexts
from ferryman_server.model import Model
from ferryman_server.pivot import Pivot
from ferryman_server.preparation import prepare_text
from ferryman_server.request import TranslationRequest
from ferryman_server.rounds.rounds import Rounds
from ferryman_server.scoring_queue import ScoringQueue
from ferryman_server.text.passage import SentenceTooLongError, TextForm
from ferryman_server.translation import TextTranslation, TranslationResult, Work

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Plan:
    """Which model a request is for, and how it decodes."""

    route: Route
    options: AppliedOptions


class Translator:
    """Answers translation requests.

    Args:
        catalogue: The models.
        limits: What one request may be.
        executor: Where texts are split, tokenised and put together. The event loop does none of
            this, since health checks must be answered while a long text is at work.
        scoring: Where alignments come from; None for a queue of its own.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        limits: Limits,
        executor: Executor,
        scoring: ScoringQueue | None = None,
    ) -> None:
        self._catalogue = catalogue
        self._limits = limits
        self._executor = executor
        self._scoring = scoring or ScoringQueue(limits.max_queued_tokens)
        self._annotator = Annotator(self._scoring, limits.max_attention_weights)

    async def translate(
        self, request: TranslationRequest, live: LiveTexts | None = None
    ) -> TranslationResult:
        """Translate all texts of a request; cancelling this frees the engine within one step.

        Args:
            request: What is asked for.
            live: Is told of every token as soon as it is certain; None where nobody listens.

        Raises:
            ModelNotFoundError, UnsupportedLanguagePairError: There is no model for it.
            InvalidRequestError: Its options contradict each other, or its model.
            FeatureUnavailableError: Its model lacks a graph that it takes.
            InputTooLongError: All texts together could never be queued.
            QueueFullError, ServerDrainingError: The engine does not take it now.
            DeadlineExceededError: The deadline passed.
            EngineFailedError: Decoding failed; the request is not to blame.
        """
        if request.text.form is not TextForm.PLAIN:
            live = None  # a document is put together again when all of it is there
        plan = self.plan(request)
        if plan.route.before is not None:
            return await self._over_third_language(request, plan.route, live)
        with plan.route.model.uses:
            return await self._directly(request, plan, live)

    async def _over_third_language(
        self, request: TranslationRequest, route: Route, live: LiveTexts | None
    ) -> TranslationResult:
        """Translate with one model, and what comes out with another."""
        pivot = Pivot(request, route)
        # Both from the beginning: neither may be unloaded while the other is at work.
        with pivot.first.model.uses, pivot.second.model.uses:
            first = await self._directly(
                pivot.first_request, self._plan_for(pivot.first_request, pivot.first), None
            )
            onward = pivot.second_request(first)
            second = await self._directly(onward, self._plan_for(onward, pivot.second), live)
        return pivot.combined(first, second)

    async def _directly(
        self, request: TranslationRequest, plan: Plan, live: LiveTexts | None
    ) -> TranslationResult:
        """Translate with one model."""
        route, options = plan.route, plan.options
        require_scorer(route.model, request.detail)
        started = time.monotonic()
        prepared = await self._prepare(request, route)
        rounds = await self._off_the_loop(
            plan_rounds,
            request,
            prepared,
            options,
            route.model,
            route.languages,
            is_final=live is not None,
        )
        preparation_seconds = time.monotonic() - started
        self._check_queue_could_hold(rounds.jobs)
        if live is not None:
            rounds.jobs = live.follow(prepared, rounds.jobs, route.model)
        jobs, results = await self._decode_rounds(rounds, route.model, request.deadline, live)
        alignments = await align_documents(
            route.model, prepared, rounds.outcomes, self._scoring, request.deadline
        )
        texts = await self._off_the_loop(
            compose_translations, prepared, rounds.outcomes, options, route.model, alignments
        )
        if request.detail:
            texts = await self._annotate(request, route.model, prepared, texts)
        return TranslationResult(
            texts=texts,
            model=route.model.full_name,
            model_digest=route.model.digest,
            languages=route.languages,
            decoding=options,
            work=_work(request, jobs, results, texts, preparation_seconds),
        )

    async def _annotate(
        self,
        request: TranslationRequest,
        model: Model,
        prepared: Sequence[PreparedText],
        texts: Sequence[TextTranslation],
    ) -> tuple[TextTranslation, ...]:
        """Return the texts with what the request wants to know of their tokens and words."""
        detail, annotator = request.detail, self._annotator
        scores = await annotator.scores(model, texts, prepared, request)
        return await self._off_the_loop(annotator.annotated, model, texts, prepared, detail, scores)

    def plan(self, request: TranslationRequest) -> Plan:
        """Return how a request would be translated now.

        Raises:
            ModelNotFoundError, UnsupportedLanguagePairError: There is no model for it.
            InvalidRequestError: Its options contradict each other, or its model.
            FeatureUnavailableError: It takes two models, and asks for what needs one.
        """
        route = self._catalogue.route(
            request.model, request.source_language, request.target_language
        )
        if route.before is not None:
            Pivot(request, route).check()
        return self._plan_for(request, route)

    @staticmethod
    def _plan_for(request: TranslationRequest, route: Route) -> Plan:
        options = apply_options(
            request.decoding, route.model.manifest, alternatives=request.alternatives
        )
        return Plan(route, options)

    async def _decode_rounds(
        self, rounds: Rounds, model: Model, deadline: float | None, live: LiveTexts | None
    ) -> tuple[list[Job], list[Result]]:
        """Decode until every sentence has its answer; return all that was done for it.

        After the first round there is an answer. So whatever keeps a later one from coming about
        (no time, no room) is no error of the request.
        """
        jobs: list[Job] = []
        results: list[Result] = []
        while due := rounds.jobs:
            began = time.monotonic()
            try:
                found = await decode(model, due, deadline, live)
            except (QueueFullError, DeadlineExceededError, ServerDrainingError):
                if not rounds.count:
                    raise
                rounds.give_up()
                continue
            jobs += due
            results += found
            await self._off_the_loop(rounds.take, found)
            ended = time.monotonic()
            if deadline is not None and ended + (ended - began) > deadline:
                rounds.give_up()
        return jobs, results

    async def _prepare(self, request: TranslationRequest, route: Route) -> list[PreparedText]:
        """Prepare text by text, so that requests with many texts take turns in the executor."""

        def prepare(index: int) -> PreparedText:
            try:
                return prepare_text(
                    request.texts[index],
                    request.text,
                    language=route.languages.source,
                    encoder=route.model.tokenizer,
                    max_tokens=route.model.manifest.limits.max_source_tokens,
                )
            except SentenceTooLongError as error:
                return InputTooLongError(
                    [Fault(f"contents[{index}]", str(error))],
                    length=error.tokens,
                    limit=error.limit,
                    unit="tokens",
                )

        return [await self._off_the_loop(prepare, index) for index in range(len(request.texts))]

    async def _off_the_loop(
        self, function: Callable[P, R], *arguments: P.args, **options: P.kwargs
    ) -> R:
        call = functools.partial(function, *arguments, **options)
        return await asyncio.get_running_loop().run_in_executor(self._executor, call)

    def _check_queue_could_hold(self, jobs: Sequence[Job]) -> None:
        tokens, most = sum(len(job.source) + 1 for job in jobs), self._limits.max_queued_tokens
        if tokens > most:
            fault = Fault(
                "contents", f"must have at most {most} tokens in all, but have {tokens}; split them"
            )
            raise InputTooLongError([fault], length=tokens, limit=most, unit="tokens")


def _work(
    request: TranslationRequest,
    jobs: Sequence[Job],
    results: Sequence[Result],
    texts: Sequence[TextTranslation],
    preparation_seconds: float,
) -> Work:
    return Work(
        characters=sum(map(len, request.texts)),
        sentences=len(jobs),
        source_tokens=sum(len(job.source) + 1 for job in jobs),
        target_tokens=sum(h.token_count for text in texts for h in text.hypotheses),
        preparation_seconds=preparation_seconds,
        queue_seconds=max((result.queue_seconds for result in results), default=0.0),
        decode_seconds=max((result.decode_seconds for result in results), default=0.0),
    )
