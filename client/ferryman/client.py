"""The blocking client."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable
from functools import partial
from types import TracebackType
from typing import Self, TypeVar, overload

import grpc

from ferryman.calls import Call, Starter
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


class Client:
    """Translates text with a ferryman server; blocks until the answer is there.

    >>> with Client("127.0.0.1:50051") as client:
    ...     client.translate("The ferry leaves at noon.", target="fr").text
    ...     [str(t) for t in client.translate(["Good morning.", "Good night."], target="fr")]
    'Le bac part à midi.'
    ['Bonjour.', 'Bonne nuit.']

    Many threads may use one client at the same time. `AsyncClient` has the same methods.

    Args:
        address: ``host``, ``host:port``, or any name that gRPC knows, as ``unix:/run/ferryman``.
        timeout: Seconds that a request may take, its retries included, where the call names no
            timeout of its own. A last resort: a dead connection is noticed earlier.
        retry: When to repeat a request that failed.
        concurrency: Requests that are on the way at the same time, where a call needs several.
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
        self._channel = grpc.insecure_channel(target, options_of(target))
        self._stub = TranslationServiceStub(self._channel)
        self._starter = Starter()

    @overload
    def translate(  # type: ignore[overload-overlap]  # a str is one text, not its characters
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
    def translate(
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

    def translate(
        self,
        text: str | Iterable[str],
        /,
        *,
        source: str = "",
        target: str = "",
        model: str = "",
        search: Search | None = None,
        timeout: float | None = None,
    ) -> Translation | list[Translation]:
        """Translate one text, or many.

        Args:
            text: A text of any number of sentences and lines, or several texts.
            source: BCP-47 code of its language; may be left out where the server has one only.
            target: BCP-47 code of the language to translate into; as ``source``.
            model: ``name`` or ``name@version``; the server chooses where it is left out.
            search: `Greedy`, `Beam` or `Sampling`; the model's own where it is left out.
            timeout: Seconds that the whole call may take; the client's for each request of it
                where it is left out.

        Returns:
            The translation of one text; a list for several, one for each and in their order. Of
            several, one that the server could not translate has an ``error``, which its ``text``
            raises.

        Raises:
            FerrymanError: The call failed, or the one text could not be translated.
        """
        make_request = request_maker(source=source, target=target, model=model, search=search)
        deadlines = self._session.deadlines(timeout)
        if not isinstance(text, str):
            return list(self._translate_all(text, make_request, deadlines))
        (chunk,) = ChunkSize().chunks([text])
        (translation,) = self._receive(chunk, self._send(chunk, make_request, deadlines()))
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
    ) -> Generator[Translation, None, None]:
        """Translate texts as they come, however many there are.

        Takes no more of ``texts`` than is on the way, so that memory stays bounded. What is on the
        way is cancelled when the iterator is closed.

        Args:
            texts: The texts.
            source: As in `translate`, for this and all further arguments.
            target: As in `translate`.
            model: As in `translate`.
            search: As in `translate`.
            timeout: Seconds that each request may take.

        Returns:
            The translations, one for each text and in their order; one that the server could not
            translate has an ``error``.

        Raises:
            FerrymanError: A request failed.
        """
        if isinstance(texts, str):
            raise TypeError("texts is a str: use translate() for one text")
        make_request = request_maker(source=source, target=target, model=model, search=search)
        return self._translate_all(texts, make_request, partial(self._session.deadline, timeout))

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

    def _translate_all(
        self, texts: Iterable[str], make_request: MakeRequest, deadlines: Deadlines
    ) -> Generator[Translation, None, None]:
        """Keep ``concurrency`` requests on the way; the oldest one is waited for, for the order.

        A younger one that was refused is repeated when its turn comes. So a server that has no
        room is sent less, without a word.
        """
        under_way: deque[tuple[Chunk, Call[messages.TranslateTextResponse]]] = deque()
        try:
            for chunk in self._chunk_size(deadlines).chunks(texts):
                if len(under_way) == self._session.concurrency:
                    yield from self._receive(*under_way.popleft())
                under_way.append((chunk, self._send(chunk, make_request, deadlines())))
            while under_way:
                yield from self._receive(*under_way.popleft())
        finally:
            for _, call in under_way:
                call.cancel()

    def _chunk_size(self, deadlines: Deadlines) -> ChunkSize:
        """Return how much one request may hold; ask the server the first time."""
        if self._session.chunk_size is None:
            try:
                limits = self._info(deadlines()).limits
            except UnsupportedError:
                limits = Limits()
            self._session.chunk_size = ChunkSize.below(limits)
        return self._session.chunk_size

    def _info(self, deadline: Deadline) -> ServerInfo:
        request = messages.GetServerInfoRequest()
        return info_of(self._begin(self._stub.GetServerInfo, request, deadline).result())

    def _send(
        self, chunk: Chunk, make_request: MakeRequest, deadline: Deadline
    ) -> Call[messages.TranslateTextResponse]:
        return self._begin(self._stub.TranslateText, make_request(chunk.texts), deadline)

    def _receive(
        self, chunk: Chunk, call: Call[messages.TranslateTextResponse]
    ) -> list[Translation]:
        try:
            return translations_of(call.result(), chunk.texts)
        except FerrymanError as error:
            raise error.with_texts_named(chunk.name_of) from error.__cause__

    def _begin(
        self,
        method: grpc.UnaryUnaryMultiCallable[Request, Response],
        request: Request,
        deadline: Deadline,
    ) -> Call[Response]:
        def start(seconds: float) -> grpc.Future[Response]:
            return self._starter.start(lambda: method.future(request, timeout=seconds))

        return Call(start, self._session.attempts(deadline), self._session.target)
