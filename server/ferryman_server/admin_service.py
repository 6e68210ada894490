"""The admin service: each method reads a message, asks the fleet, and writes a message."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any, Final, TypeAlias

import grpc

from ferryman.v1 import admin_service_pb2, admin_service_pb2_grpc
from ferryman_server.call import current_call
from ferryman_server.fleet import Fleet
from ferryman_server.replay import replay_golden_sentences
from ferryman_server.translator import Translator
from ferryman_server.wire.admin import (
    change_response,
    differences,
    load_response,
    models_response,
    parse_verification,
    seconds_of,
)

SERVICE: Final = admin_service_pb2.DESCRIPTOR.services_by_name["AdminService"].full_name

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
Pause = Callable[[float], Awaitable[tuple[bool, int]]]
"""Takes no more calls, waits so many seconds; tells whether all ended, and how many did not."""


# The names and the arguments of the methods are the contract's.
# ruff: noqa: N802, ARG002


class AdminService(admin_service_pb2_grpc.AdminServiceServicer):
    """The methods of ``ferryman.v1.AdminService``.

    They raise `ServiceError`, and `wire.interceptor` makes statuses of that.

    Args:
        fleet: The models.
        translator: What compares two of them.
        pause: What stops taking calls.
    """

    def __init__(self, fleet: Fleet, translator: Translator, pause: Pause) -> None:
        self._fleet = fleet
        self._translator = translator
        self._pause = pause

    async def LoadModel(
        self, request: admin_service_pb2.LoadModelRequest, context: Context
    ) -> admin_service_pb2.LoadModelResponse:
        """Load a bundle beside the models that are there."""
        call = current_call()
        call.facts["bundle"] = request.bundle
        change = await self._fleet.load(
            request.bundle, request.variant or None, set_default=request.set_default
        )
        call.facts["model"] = change.model.full_name
        return load_response(change, self._fleet.catalogue, call.seconds)

    async def UnloadModel(
        self, request: admin_service_pb2.UnloadModelRequest, context: Context
    ) -> admin_service_pb2.UnloadModelResponse:
        """Let a model finish what it has, and free it."""
        current_call().facts["model"] = request.model
        seconds = seconds_of(request, "drain_timeout")
        finished = await self._fleet.unload(request.model, seconds)
        return admin_service_pb2.UnloadModelResponse(finished=finished)

    async def SetDefaultModel(
        self, request: admin_service_pb2.SetDefaultModelRequest, context: Context
    ) -> admin_service_pb2.SetDefaultModelResponse:
        """Let the name of a model stand for one version of it."""
        change = self._fleet.set_default(request.model, server_default=request.server_default)
        current_call().facts.update(model=change.model.full_name, previous=change.previous)
        return change_response(change, self._fleet.catalogue)

    async def WatchModels(
        self, request: admin_service_pb2.WatchModelsRequest, context: Context
    ) -> AsyncIterator[admin_service_pb2.WatchModelsResponse]:
        """Tell all models and their states, at once and after every change."""
        async with aclosing(self._fleet.watch()) as moments:
            async for statuses in moments:
                yield models_response(statuses, self._fleet.catalogue)

    async def VerifyModel(
        self, request: admin_service_pb2.VerifyModelRequest, context: Context
    ) -> admin_service_pb2.VerifyModelResponse:
        """Translate the golden sentences of a model, and compare it with another one."""
        catalogue = self._fleet.catalogue
        model = catalogue.named(request.model)
        other = catalogue.named(request.against_model) if request.against_model else None
        contents = parse_verification(request)
        with model.uses:
            replay = await replay_golden_sentences(model)
            response = admin_service_pb2.VerifyModelResponse(
                passed=replay.passed, golden_sentences=replay.sentences, message=replay.message
            )
            if other is not None:
                golden = model.manifest.golden.get(model.variant) or ()
                texts = tuple(dict.fromkeys((*(g.text for g in golden), *contents)))
                with other.uses:
                    response.differences.extend(
                        await differences(self._translator, texts, model, other)
                    )
                response.compared_sentences = len(texts)
        return response

    async def Drain(
        self, request: admin_service_pb2.DrainRequest, context: Context
    ) -> admin_service_pb2.DrainResponse:
        """Take no more calls, and answer when those under way have finished."""
        seconds = seconds_of(request, "timeout")
        finished, left = await self._pause(
            self._fleet.drain_seconds if seconds is None else seconds
        )
        return admin_service_pb2.DrainResponse(finished=finished, calls_under_way=left)
