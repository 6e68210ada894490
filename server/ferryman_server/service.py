"""The translation service: each method reads a message, asks the domain, and writes a message."""

from __future__ import annotations

import time
from typing import Any, TypeAlias

import grpc

from ferryman.v1 import model_pb2, translation_service_pb2, translation_service_pb2_grpc
from ferryman_server.call import current_call
from ferryman_server.catalogue import Catalogue
from ferryman_server.description import ServerDescription
from ferryman_server.limits import Limits
from ferryman_server.translation import TranslationResult
from ferryman_server.translator import Translator
from ferryman_server.wire.descriptions import language_pairs, model_message, server_info
from ferryman_server.wire.pages import page
from ferryman_server.wire.requests import parse_translation_request
from ferryman_server.wire.responses import translation_response

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


# The names and the arguments of the methods are the contract's.
# ruff: noqa: N802, ARG002


class TranslationService(translation_service_pb2_grpc.TranslationServiceServicer):
    """The methods of ``ferryman.v1.TranslationService``.

    They raise `ServiceError`, and `wire.interceptor` makes statuses of that.

    Args:
        translator: What translates.
        catalogue: The models there are.
        limits: What one request may be.
        description: What `GetServerInfo` tells.
    """

    def __init__(
        self,
        translator: Translator,
        catalogue: Catalogue,
        limits: Limits,
        description: ServerDescription,
    ) -> None:
        self._translator = translator
        self._catalogue = catalogue
        self._limits = limits
        self._description = description

    async def TranslateText(
        self, request: translation_service_pb2.TranslateTextRequest, context: Context
    ) -> translation_service_pb2.TranslateTextResponse:
        """Translate texts, and answer when all of them are done."""
        call = current_call()
        call.facts["texts"] = len(request.contents)
        remaining = context.time_remaining()
        deadline = None if remaining is None else time.monotonic() + remaining
        asked, output = parse_translation_request(request, self._limits, deadline=deadline)
        if request.labels:
            call.facts["labels"] = dict(request.labels)
        result = await self._translator.translate(asked)
        call.facts.update(_facts(result))
        return translation_response(
            result, output, request_id=call.request_id, total_seconds=call.seconds
        )

    async def ListLanguagePairs(
        self, request: translation_service_pb2.ListLanguagePairsRequest, context: Context
    ) -> translation_service_pb2.ListLanguagePairsResponse:
        """List the language pairs that the server translates now."""
        models = (
            (self._catalogue.named(request.model),) if request.model else self._catalogue.models
        )
        pairs, next_page = page(
            language_pairs(models), size=request.page_size, token=request.page_token
        )
        return translation_service_pb2.ListLanguagePairsResponse(
            language_pairs=pairs, next_page_token=next_page
        )

    async def ListModels(
        self, request: translation_service_pb2.ListModelsRequest, context: Context
    ) -> translation_service_pb2.ListModelsResponse:
        """List the models of the server, the default model first."""
        models, next_page = page(
            self._catalogue.models, size=request.page_size, token=request.page_token
        )
        default = self._catalogue.default
        return translation_service_pb2.ListModelsResponse(
            models=[
                model_message(model, is_default=model is default, state=model_pb2.MODEL_STATE_READY)
                for model in models
            ],
            next_page_token=next_page,
        )

    async def GetModel(
        self, request: translation_service_pb2.GetModelRequest, context: Context
    ) -> translation_service_pb2.GetModelResponse:
        """Tell what one model is."""
        model = self._catalogue.named(request.model)
        return translation_service_pb2.GetModelResponse(
            model=model_message(
                model,
                is_default=model is self._catalogue.default,
                state=model_pb2.MODEL_STATE_READY,
            )
        )

    async def StreamTranslateText(self, request: Any, context: Context) -> Any:  # type: ignore[override]
        """Not built yet."""
        await context.abort(grpc.StatusCode.UNIMPLEMENTED, "this server does not stream yet")

    async def TranslateBatch(self, request: Any, context: Context) -> Any:  # type: ignore[override]
        """Not built yet."""
        await context.abort(grpc.StatusCode.UNIMPLEMENTED, "this server takes no batches yet")

    async def ScoreText(self, request: Any, context: Context) -> Any:
        """Not built yet."""
        raise NotImplementedError

    async def TokenizeText(self, request: Any, context: Context) -> Any:
        """Not built yet."""
        raise NotImplementedError

    async def GetServerInfo(
        self, request: translation_service_pb2.GetServerInfoRequest, context: Context
    ) -> translation_service_pb2.GetServerInfoResponse:
        """Tell what the server is."""
        return server_info(self._description, self._catalogue, self._limits)


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
