"""The translation service: each method reads a message, asks the domain, and writes a message."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any, TypeAlias

import grpc

from ferryman.v1 import translation_service_pb2, translation_service_pb2_grpc
from ferryman_server.admission import Admission
from ferryman_server.batch_stream import Batch
from ferryman_server.call import current_call
from ferryman_server.catalogue import Catalogue
from ferryman_server.description import ServerDescription
from ferryman_server.judge import Judge
from ferryman_server.limits import Limits
from ferryman_server.live_text import Delta
from ferryman_server.request import TranslationRequest
from ferryman_server.streaming import stream_translation
from ferryman_server.translation import TranslationResult
from ferryman_server.translator import Translator
from ferryman_server.wire.batches import BatchSettings, outcome_response, started_response
from ferryman_server.wire.descriptions import language_pairs, model_message, pairs_of, server_info
from ferryman_server.wire.pages import page
from ferryman_server.wire.requests import OutputOptions, parse_translation_request
from ferryman_server.wire.responses import delta_response, translation_response
from ferryman_server.wire.scoring import (
    parse_score_request,
    parse_tokenize_request,
    score_response,
    tokenized_message,
)

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


# The names and the arguments of the methods are the contract's.
# ruff: noqa: N802, ARG002


class TranslationService(translation_service_pb2_grpc.TranslationServiceServicer):
    """The methods of ``ferryman.v1.TranslationService``.

    They raise `ServiceError`, and `wire.interceptor` makes statuses of that.

    Args:
        translator: What translates.
        judge: What scores.
        catalogue: The models there are.
        admission: Tells when the server takes nothing new.
        limits: What one request may be.
        description: What `GetServerInfo` tells.
    """

    def __init__(
        self,
        translator: Translator,
        judge: Judge,
        catalogue: Catalogue,
        admission: Admission,
        limits: Limits,
        description: ServerDescription,
    ) -> None:
        self._translator = translator
        self._judge = judge
        self._catalogue = catalogue
        self._admission = admission
        self._limits = limits
        self._description = description

    async def TranslateText(
        self, request: translation_service_pb2.TranslateTextRequest, context: Context
    ) -> translation_service_pb2.TranslateTextResponse:
        """Translate texts, and answer when all of them are done."""
        call = current_call()
        asked, output = self._asked(request, context)
        result = await self._translator.translate(asked)
        call.facts.update(_facts(result))
        return translation_response(
            result, output, request_id=call.request_id, total_seconds=call.seconds
        )

    async def StreamTranslateText(
        self, request: translation_service_pb2.StreamTranslateTextRequest, context: Context
    ) -> AsyncIterator[translation_service_pb2.StreamTranslateTextResponse]:
        """Translate texts, and tell of each translation as it comes about."""
        call = current_call()
        asked, output = self._asked(request.request, context)
        async with aclosing(stream_translation(self._translator, asked)) as events:
            async for event in events:
                call.facts.setdefault("first_ms", round(call.seconds * 1000, 1))
                if isinstance(event, Delta):
                    yield delta_response(event)
                    continue
                call.facts.update(_facts(event))
                yield translation_service_pb2.StreamTranslateTextResponse(
                    result=translation_response(
                        event, output, request_id=call.request_id, total_seconds=call.seconds
                    )
                )

    async def TranslateBatch(
        self,
        requests: AsyncIterator[translation_service_pb2.TranslateBatchRequest],
        context: Context,
    ) -> AsyncIterator[translation_service_pb2.TranslateBatchResponse]:
        """Translate texts as they come in, and answer each as soon as it is done."""
        call = current_call()
        settings = await BatchSettings.read(requests, self._limits, deadline=_deadline(context))
        plan = self._translator.plan(settings.request)
        settings = settings.with_plan(plan)
        yield started_response(plan, self._limits, call.request_id)
        batch = Batch(
            self._translator,
            max_texts=self._limits.max_batch_items,
            closing=self._admission.closing(),
        )
        facts = call.facts = {**call.facts, "model": plan.route.full_name}
        counts = dict.fromkeys(("texts", "errors"), 0)
        async with aclosing(batch.outcomes(settings.texts(requests))) as outcomes:
            async for outcome in outcomes:
                counts["texts"] += 1
                counts["errors"] += isinstance(outcome.answer, Exception)
                facts.update(counts)
                yield outcome_response(outcome, settings.output, call.request_id)

    def _asked(
        self, request: translation_service_pb2.TranslateTextRequest, context: Context
    ) -> tuple[TranslationRequest, OutputOptions]:
        """Read a request, and note for the log what it is about."""
        call = current_call()
        call.facts["texts"] = len(request.contents)
        asked = parse_translation_request(request, self._limits, deadline=_deadline(context))
        if request.labels:
            call.facts["labels"] = dict(request.labels)
        return asked

    async def ListLanguagePairs(
        self, request: translation_service_pb2.ListLanguagePairsRequest, context: Context
    ) -> translation_service_pb2.ListLanguagePairsResponse:
        """List the language pairs that the server translates now."""
        pairs = (
            pairs_of(self._catalogue.named(request.model))
            if request.model
            else language_pairs(self._catalogue)
        )
        found, next_page = page(pairs, size=request.page_size, token=request.page_token)
        return translation_service_pb2.ListLanguagePairsResponse(
            language_pairs=found, next_page_token=next_page
        )

    async def ListModels(
        self, request: translation_service_pb2.ListModelsRequest, context: Context
    ) -> translation_service_pb2.ListModelsResponse:
        """List the models of the server, the default model first."""
        models, next_page = page(
            self._catalogue.models, size=request.page_size, token=request.page_token
        )
        return translation_service_pb2.ListModelsResponse(
            models=[model_message(model, self._catalogue) for model in models],
            next_page_token=next_page,
        )

    async def GetModel(
        self, request: translation_service_pb2.GetModelRequest, context: Context
    ) -> translation_service_pb2.GetModelResponse:
        """Tell what one model is."""
        model = self._catalogue.named(request.model)
        return translation_service_pb2.GetModelResponse(model=model_message(model, self._catalogue))

    async def ScoreText(
        self, request: translation_service_pb2.ScoreTextRequest, context: Context
    ) -> translation_service_pb2.ScoreTextResponse:
        """Tell how likely a model finds given translations."""
        call = current_call()
        call.facts["pairs"] = len(request.pairs)
        asked = parse_score_request(request, self._limits, deadline=_deadline(context))
        if request.labels:
            call.facts["labels"] = dict(request.labels)
        result = await self._judge.score(asked)
        call.facts["model"] = result.model.full_name
        return score_response(result, asked.detail, call.request_id)

    async def TokenizeText(
        self, request: translation_service_pb2.TokenizeTextRequest, context: Context
    ) -> translation_service_pb2.TokenizeTextResponse:
        """Tell which tokens texts consist of."""
        call = current_call()
        call.facts["texts"] = len(request.contents)
        asked = parse_tokenize_request(request, self._limits)
        model = self._catalogue.route(
            asked.model, asked.source_language, asked.target_language
        ).model
        return translation_service_pb2.TokenizeTextResponse(
            texts=[tokenized_message(t) for t in await self._judge.tokenize(model, asked.texts)],
            model=model.full_name,
            request_id=call.request_id,
        )

    async def GetServerInfo(
        self, request: translation_service_pb2.GetServerInfoRequest, context: Context
    ) -> translation_service_pb2.GetServerInfoResponse:
        """Tell what the server is."""
        return server_info(self._description, self._catalogue, self._limits)


def _deadline(context: Context) -> float | None:
    """Return when the transport gives up, on `time.monotonic`'s clock."""
    remaining: float | None = context.time_remaining()
    return None if remaining is None else time.monotonic() + remaining


def _facts(result: TranslationResult) -> dict[str, object]:
    work = result.work
    return {
        "model": result.model,
        "characters": work.characters,
        "sentences": work.sentences,
        "source_tokens": work.source_tokens,
        "target_tokens": work.target_tokens,
        "preparation_ms": round(work.preparation_seconds * 1000, 1),
        "queue_ms": round(work.queue_seconds * 1000, 1),
        "decode_ms": round(work.decode_seconds * 1000, 1),
    }
