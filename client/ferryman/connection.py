"""What a blocking client is connected to: calls, and what the server tells of itself."""

from __future__ import annotations

from types import TracebackType
from typing import Self, TypeVar

import grpc
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

from ferryman.calls import Call, Starter
from ferryman.channel import DEFAULT_ADDRESS, Tls
from ferryman.description import LanguagePair, Model, ServerInfo
from ferryman.retry import Deadline, Retry
from ferryman.session import Session
from ferryman.v1 import translation_service_pb2 as messages
from ferryman.v1.translation_service_pb2_grpc import TranslationServiceStub
from ferryman.wire_descriptions import info_of, model_of, pair_of

Request = TypeVar("Request")
Response = TypeVar("Response")


class Connection:
    """A connection of the blocking stack, with its retries; arguments as in `client.Client`."""

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
            grpc.insecure_channel(session.target, session.options)
            if session.credentials is None
            else grpc.secure_channel(session.target, session.credentials, session.options)
        )
        self._stub = TranslationServiceStub(self._channel)
        self._starter = Starter()

    def health(self, service: str = "", *, timeout: float | None = None) -> bool:
        """Tell whether a server translates now, or the model that is named.

        Args:
            service: Name that the server gives health under; empty for the server as a whole.
            timeout: Seconds that the call may take.

        Raises:
            FerrymanError: No server answers, or it knows no such name.
        """
        request = HealthCheckRequest(service=service)
        check = HealthStub(self._channel).Check
        response = self._begin(check, request, self._session.deadline(timeout)).result()
        return bool(response.status == HealthCheckResponse.SERVING)

    def models(self, *, timeout: float | None = None) -> list[Model]:
        """Return the models of the server, the default model first.

        Raises:
            FerrymanError: The call failed.
        """
        deadline = self._session.deadline(timeout)
        request, found = messages.ListModelsRequest(), list[Model]()
        while True:
            page = self._begin(self._stub.ListModels, request, deadline).result()
            found += map(model_of, page.models)
            if not page.next_page_token:
                return found
            request.page_token = page.next_page_token

    def language_pairs(
        self, *, model: str = "", timeout: float | None = None
    ) -> list[LanguagePair]:
        """Return the language pairs that the server, or one model of it, translates.

        Raises:
            FerrymanError: The call failed.
        """
        deadline = self._session.deadline(timeout)
        request, found = messages.ListLanguagePairsRequest(model=model), list[LanguagePair]()
        while True:
            page = self._begin(self._stub.ListLanguagePairs, request, deadline).result()
            found += map(pair_of, page.language_pairs)
            if not page.next_page_token:
                return found
            request.page_token = page.next_page_token

    def info(self, *, timeout: float | None = None) -> ServerInfo:
        """Return what the server is: its version, its device, its limits.

        Raises:
            FerrymanError: The call failed.
        """
        return self._info(self._session.deadline(timeout))

    def close(self) -> None:
        """Close the connection; calls that other threads wait for are cancelled."""
        self._session.close()
        self._starter.close()
        self._channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _info(self, deadline: Deadline) -> ServerInfo:
        request = messages.GetServerInfoRequest()
        return info_of(self._begin(self._stub.GetServerInfo, request, deadline).result())

    def _begin(
        self,
        method: grpc.UnaryUnaryMultiCallable[Request, Response],
        request: Request,
        deadline: Deadline,
    ) -> Call[Response]:
        def start(seconds: float) -> grpc.Future[Response]:
            headers = self._session.metadata
            return self._starter.start(
                lambda: method.future(request, timeout=seconds, metadata=headers)
            )

        return Call(start, self._session.attempts(deadline), self._session.target)
