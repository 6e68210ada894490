"""What an asyncio client is connected to; `connection.Connection` with the same words."""

from __future__ import annotations

from types import TracebackType
from typing import Self, TypeVar

import grpc
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

from ferryman.calls import AsyncCall
from ferryman.channel import DEFAULT_ADDRESS, Tls
from ferryman.description import LanguagePair, Model, ServerInfo
from ferryman.retry import Deadline, Retry
from ferryman.session import Session
from ferryman.v1 import translation_service_pb2 as messages
from ferryman.v1.translation_service_pb2_grpc import TranslationServiceStub
from ferryman.wire_descriptions import info_of, model_of, pair_of

Request = TypeVar("Request")
Response = TypeVar("Response")


class AsyncConnection:
    """A connection of the asyncio stack, with its retries; arguments as in `client.Client`."""

    def __init__(
        self,
        address: str = DEFAULT_ADDRESS,
        *,
        timeout: float = 300.0,
        retry: Retry | None = None,
        concurrency: int = 4,
        tls: Tls | None = None,
        api_key: str | None = None,
    ) -> None:
        self._session = session = Session(
            address,
            timeout=timeout,
            retry=retry or Retry(),
            concurrency=concurrency,
            tls=tls,
            api_key=api_key,
        )
        self._channel = (
            grpc.aio.insecure_channel(session.target, session.options)
            if session.credentials is None
            else grpc.aio.secure_channel(session.target, session.credentials, session.options)
        )
        self._stub = TranslationServiceStub(self._channel)

    async def health(self, service: str = "", *, timeout: float | None = None) -> bool:
        """Tell whether a server translates now, or the model that is named.

        Raises:
            FerrymanError: No server answers, or it knows no such name.
        """
        request = HealthCheckRequest(service=service)
        check = HealthStub(self._channel).Check
        response = await self._begin(check, request, self._session.deadline(timeout)).result()
        return bool(response.status == HealthCheckResponse.SERVING)

    async def models(self, *, timeout: float | None = None) -> list[Model]:
        """Return the models of the server, the default model first.

        Raises:
            FerrymanError: The call failed.
        """
        deadline = self._session.deadline(timeout)
        request, found = messages.ListModelsRequest(), list[Model]()
        while True:
            page = await self._begin(self._stub.ListModels, request, deadline).result()
            found += map(model_of, page.models)
            if not page.next_page_token:
                return found
            request.page_token = page.next_page_token

    async def language_pairs(
        self, *, model: str = "", timeout: float | None = None
    ) -> list[LanguagePair]:
        """Return the language pairs that the server, or one model of it, translates.

        Raises:
            FerrymanError: The call failed.
        """
        deadline = self._session.deadline(timeout)
        request, found = messages.ListLanguagePairsRequest(model=model), list[LanguagePair]()
        while True:
            page = await self._begin(self._stub.ListLanguagePairs, request, deadline).result()
            found += map(pair_of, page.language_pairs)
            if not page.next_page_token:
                return found
            request.page_token = page.next_page_token

    async def info(self, *, timeout: float | None = None) -> ServerInfo:
        """Return what the server is: its version, its device, its limits.

        Raises:
            FerrymanError: The call failed.
        """
        return await self._info(self._session.deadline(timeout))

    async def close(self) -> None:
        """Close the connection; calls that other tasks wait for are cancelled."""
        self._session.close()
        await self._channel.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def _info(self, deadline: Deadline) -> ServerInfo:
        request = messages.GetServerInfoRequest()
        return info_of(await self._begin(self._stub.GetServerInfo, request, deadline).result())

    def _begin(
        self,
        method: grpc.aio.UnaryUnaryMultiCallable[Request, Response],
        request: Request,
        deadline: Deadline,
    ) -> AsyncCall[Response]:
        attempts = self._session.attempts(deadline)
        return AsyncCall(
            lambda seconds: method(request, timeout=seconds, metadata=self._session.metadata),
            attempts,
            self._session.target,
        )
