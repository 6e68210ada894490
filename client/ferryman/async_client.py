"""The client for asyncio; `client.Client` with the same words."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, Iterable
from functools import partial
from types import TracebackType
from typing import Self, TypeVar, overload

import grpc

from ferryman.calls import AsyncCall
from ferryman.channel import DEFAULT_ADDRESS, options_of
from ferryman.chunking import Chunk, ChunkSize
from ferryman.description import LanguagePair, Limits, Model, ServerInfo
from ferryman.errors import FerrymanError, UnsupportedError
from ferryman.results import Translation
from ferryman.retry import Deadline, Retry
from ferryman.search import Search
from ferryman.session import Deadlines, Session
from ferryman.v1 import translation_service_pb2 as messages
from ferryman.v1.translation_service_pb2_grpc import TranslationServiceStub
from ferryman.wire import MakeRequest, info_of, model_of, pair_of, request_maker, translations_of

Request = TypeVar("Request")
Response = TypeVar("Response")


class AsyncClient:
    """Translates text with a ferryman server, on an event loop.

    >>> async with AsyncClient("127.0.0.1:50051") as client:
    ...     translation = await client.translate("The ferry leaves at noon.", target="fr")
    ...     async for each in client.translate_each(lines, target="fr"):
    ...         print(each.text)

    It belongs to the event loop that runs when it is made. A call whose task is cancelled is
    cancelled on the server too. Arguments are those of `Client`.
    """

    def __init__(
        self,
        address: str = DEFAULT_ADDRESS,
        *,
        timeout: float = 300.0,
        retry: Retry | None = None,
        concurrency: int = 4,
    ) -> None:
        self._session = Session(
            address, timeout=timeout, retry=retry or Retry(), concurrency=concurrency
        )
        target = self._session.target
        self._channel = grpc.aio.insecure_channel(target, options_of(target))
        self._stub = TranslationServiceStub(self._channel)

    @overload
    async def translate(  # type: ignore[overload-overlap]  # a str is one text, not its characters
        self,
        text: str,
        /,
        *,
        source: str = "",
        target: str = "",
        model: str = "",
        search: Search | None = None,
        timeout: float | None = None,
    ) -> Translation: ...

    @overload
    async def translate(
        self,
        text: Iterable[str],
        /,
        *,
        source: str = "",
        target: str = "",
        model: str = "",
        search: Search | None = None,
        timeout: float | None = None,
    ) -> list[Translation]: ...

    async def translate(
        self,
        text: str | Iterable[str],
        /,
        *,
        source: str = "",
        target: str = "",
        model: str = "",
        search: Search | None = None,
        timeout: float | None = None,  # a gRPC deadline, which the server knows
    ) -> Translation | list[Translation]:
        """Translate one text, or many, as `Client.translate` does.

        Raises:
            FerrymanError: The call failed, or the one text could not be translated.
        """
        make_request = request_maker(source=source, target=target, model=model, search=search)
        deadlines = self._session.deadlines(timeout)
        if not isinstance(text, str):
            return [each async for each in self._translate_all(text, make_request, deadlines)]
        (chunk,) = ChunkSize().chunks([text])
        (translation,) = await self._receive(chunk, self._send(chunk, make_request, deadlines()))
        if translation.error is not None:
            raise translation.error
        return translation

    def translate_each(
        self,
        texts: Iterable[str],
        /,
        *,
        source: str = "",
        target: str = "",
        model: str = "",
        search: Search | None = None,
        timeout: float | None = None,
    ) -> AsyncGenerator[Translation, None]:
        """Translate texts as they come, as `Client.translate_each` does.

        A loop that is left early should close the iterator, with `contextlib.aclosing`: Python
        does so only when it collects garbage.

        Raises:
            FerrymanError: A request failed.
        """
        if isinstance(texts, str):
            raise TypeError("texts is a str: use translate() for one text")
        make_request = request_maker(source=source, target=target, model=model, search=search)
        return self._translate_all(texts, make_request, partial(self._session.deadline, timeout))

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

    async def _translate_all(
        self, texts: Iterable[str], make_request: MakeRequest, deadlines: Deadlines
    ) -> AsyncGenerator[Translation, None]:
        """Keep ``concurrency`` requests on the way, as `Client` does."""
        under_way: deque[tuple[Chunk, AsyncCall[messages.TranslateTextResponse]]] = deque()
        try:
            for chunk in (await self._chunk_size(deadlines)).chunks(texts):
                if len(under_way) == self._session.concurrency:
                    for translation in await self._receive(*under_way.popleft()):
                        yield translation
                under_way.append((chunk, self._send(chunk, make_request, deadlines())))
            while under_way:
                for translation in await self._receive(*under_way.popleft()):
                    yield translation
        finally:
            for _, call in under_way:
                call.cancel()

    async def _chunk_size(self, deadlines: Deadlines) -> ChunkSize:
        """Return how much one request may hold; ask the server the first time."""
        if self._session.chunk_size is None:
            try:
                limits = (await self._info(deadlines())).limits
            except UnsupportedError:
                limits = Limits()
            self._session.chunk_size = ChunkSize.below(limits)
        return self._session.chunk_size

    async def _info(self, deadline: Deadline) -> ServerInfo:
        request = messages.GetServerInfoRequest()
        return info_of(await self._begin(self._stub.GetServerInfo, request, deadline).result())

    def _send(
        self, chunk: Chunk, make_request: MakeRequest, deadline: Deadline
    ) -> AsyncCall[messages.TranslateTextResponse]:
        return self._begin(self._stub.TranslateText, make_request(chunk.texts), deadline)

    async def _receive(
        self, chunk: Chunk, call: AsyncCall[messages.TranslateTextResponse]
    ) -> list[Translation]:
        try:
            return translations_of(await call.result(), chunk.texts)
        except FerrymanError as error:
            raise error.with_texts_named(chunk.name_of) from error.__cause__

    def _begin(
        self,
        method: grpc.aio.UnaryUnaryMultiCallable[Request, Response],
        request: Request,
        deadline: Deadline,
    ) -> AsyncCall[Response]:
        attempts = self._session.attempts(deadline)
        return AsyncCall(
            lambda seconds: method(request, timeout=seconds), attempts, self._session.target
        )
