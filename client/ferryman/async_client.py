"""The client for asyncio; `client.Client` with the same words."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, Iterable
from functools import partial
from typing import Unpack, overload

from ferryman.async_connection import AsyncConnection
from ferryman.calls import AsyncCall
from ferryman.chunking import Chunk, ChunkSize
from ferryman.description import Limits
from ferryman.errors import FerrymanError, UnsupportedError
from ferryman.options import Output, TranslateOptions
from ferryman.results import Token, Translation, TranslationScore
from ferryman.retry import Deadline
from ferryman.session import Deadlines
from ferryman.streams import AsyncTranslationStream, StartedAsync
from ferryman.v1 import translation_service_pb2 as messages
from ferryman.wire import MakeRequest, request_maker, translations_of
from ferryman.wire_scores import Pair, score_request, scores_of, tokenize_request, tokenized_of


class AsyncClient(AsyncConnection):
    """Translates text with a ferryman server, on an event loop.

    >>> async with AsyncClient("127.0.0.1:50051") as client:
    ...     translation = await client.translate("The ferry leaves at noon.", target="fr")
    ...     async for each in client.translate_each(lines, target="fr"):
    ...         print(each.text)

    It belongs to the event loop that runs when it is made. A call whose task is cancelled is
    cancelled on the server too. Arguments are those of `Client`.
    """

    @overload
    async def translate(  # type: ignore[overload-overlap]  # a str is one text, not its characters
        self,
        text: str,
        /,
        *,
        timeout: float | None = None,
        **options: Unpack[TranslateOptions],
    ) -> Translation: ...

    @overload
    async def translate(
        self,
        text: Iterable[str],
        /,
        *,
        timeout: float | None = None,
        **options: Unpack[TranslateOptions],
    ) -> list[Translation]: ...

    async def translate(
        self,
        text: str | Iterable[str],
        /,
        *,
        timeout: float | None = None,  # a gRPC deadline, which the server knows
        **options: Unpack[TranslateOptions],
    ) -> Translation | list[Translation]:
        """Translate one text, or many, as `Client.translate` does.

        Raises:
            FerrymanError: The call failed, or the one text could not be translated.
        """
        make_request = request_maker(**options)
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
        timeout: float | None = None,
        **options: Unpack[TranslateOptions],
    ) -> AsyncGenerator[Translation, None]:
        """Translate texts as they come, as `Client.translate_each` does.

        A loop that is left early should close the iterator, with `contextlib.aclosing`: Python
        does so only when it collects garbage.

        Raises:
            FerrymanError: A request failed.
        """
        if isinstance(texts, str):
            raise TypeError("texts is a str: use translate() for one text")
        make_request = request_maker(**options)
        return self._translate_all(texts, make_request, partial(self._session.deadline, timeout))

    def stream(
        self, text: str, /, *, timeout: float | None = None, **options: Unpack[TranslateOptions]
    ) -> AsyncTranslationStream:
        """Translate one text, and read its translation while it comes about, as `Client.stream`.

        Raises:
            FerrymanError: From the stream: the call failed, or the text could not be translated.
        """
        (chunk,) = ChunkSize().chunks([text])
        request = messages.StreamTranslateTextRequest(request=request_maker(**options)(chunk.texts))
        headers = self._session.metadata

        def start(seconds: float) -> StartedAsync:
            return self._stub.StreamTranslateText(request, timeout=seconds, metadata=headers)

        attempts = self._session.attempts(self._session.deadline(timeout))
        return AsyncTranslationStream(text, start, attempts, self._session.target)

    async def score(
        self,
        pairs: Iterable[Pair],
        /,
        *,
        source: str = "",
        target: str = "",
        model: str = "",
        output: Output | None = None,
        timeout: float | None = None,
    ) -> list[TranslationScore]:
        """Tell how likely a model finds given translations, as `Client.score` does.

        Raises:
            FerrymanError: The call failed.
        """
        listed = list(pairs)
        request = score_request(listed, source=source, target=target, model=model, output=output)
        deadline = self._session.deadline(timeout)
        return scores_of(
            await self._begin(self._stub.ScoreText, request, deadline).result(), listed
        )

    async def tokenize(
        self,
        texts: Iterable[str],
        /,
        *,
        source: str = "",
        target: str = "",
        model: str = "",
        timeout: float | None = None,
    ) -> list[tuple[Token, ...]]:
        """Tell which tokens texts consist of, as `Client.tokenize` does.

        Raises:
            FerrymanError: The call failed.
        """
        listed = [texts] if isinstance(texts, str) else list(texts)
        request = tokenize_request(listed, source=source, target=target, model=model)
        call = self._begin(self._stub.TokenizeText, request, self._session.deadline(timeout))
        return tokenized_of(await call.result(), listed)

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
