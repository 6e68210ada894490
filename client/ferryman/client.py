"""The blocking client."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable
from functools import partial
from typing import Unpack, overload

from ferryman.calls import Call
from ferryman.chunking import Chunk, ChunkSize
from ferryman.connection import Connection
from ferryman.description import Limits
from ferryman.errors import FerrymanError, UnsupportedError
from ferryman.options import Output, TranslateOptions
from ferryman.results import Token, Translation, TranslationScore
from ferryman.retry import Deadline
from ferryman.session import Deadlines
from ferryman.streams import Started, TranslationStream
from ferryman.v1 import translation_service_pb2 as messages
from ferryman.wire import MakeRequest, request_maker, translations_of
from ferryman.wire_scores import Pair, score_request, scores_of, tokenize_request, tokenized_of


class Client(Connection):
    """Translates text with a ferryman server; blocks until the answer is there.

    >>> with Client("127.0.0.1:50051") as client:
    ...     client.translate("The ferry leaves at noon.", target="fr").text
    ...     [str(t) for t in client.translate(["Good morning.", "Good night."], target="fr")]
    'Le bac part à midi.'
    ['Bonjour.', 'Bonne nuit.']

    Many threads may use one client at the same time. `AsyncClient` has the same methods.

    Args:
        address: ``host``, ``host:port``, or any name that gRPC knows, as ``unix:/run/ferryman``.
            Where it stands for many servers, as ``dns:///ferryman:50051`` or
            ``10.0.0.1:50051,10.0.0.2:50051``, calls take turns with all that are well.
        timeout: Seconds that a request may take, its retries included, where the call names no
            timeout of its own. A last resort: a dead connection is noticed earlier.
        retry: When to repeat a request that failed.
        concurrency: Requests that are on the way at the same time, where a call needs several.
        tls: How to speak TLS; ``Tls()`` trusts whom gRPC trusts. None: plain text.
        api_key: Key that the server asks for. Without TLS whoever is on the way can read it.
    """

    @overload
    def translate(  # type: ignore[overload-overlap]  # a str is one text, not its characters
        self, text: str, /, *, timeout: float | None = None, **options: Unpack[TranslateOptions]
    ) -> Translation: ...

    @overload
    def translate(
        self,
        text: Iterable[str],
        /,
        *,
        timeout: float | None = None,
        **options: Unpack[TranslateOptions],
    ) -> list[Translation]: ...

    def translate(
        self,
        text: str | Iterable[str],
        /,
        *,
        timeout: float | None = None,
        **options: Unpack[TranslateOptions],
    ) -> Translation | list[Translation]:
        """Translate one text, or many.

        Args:
            text: A text of any number of sentences and lines, or several texts.
            timeout: Seconds that the whole call may take; the client's for each request of it
                where it is left out.
            options: How to translate: ``source``, ``target``, ``model``, ``search``, ``output`` and
                ``mime_type``; see `ferryman.options.TranslateOptions`.

        Returns:
            The translation of one text; a list for several, one for each and in their order. Of
            several, one that the server could not translate has an ``error``, which its ``text``
            raises.

        Raises:
            FerrymanError: The call failed, or the one text could not be translated.
        """
        make_request = request_maker(**options)
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
        timeout: float | None = None,
        **options: Unpack[TranslateOptions],
    ) -> Generator[Translation, None, None]:
        """Translate texts as they come, however many there are.

        Takes no more of ``texts`` than is on the way, so that memory stays bounded. What is on the
        way is cancelled when the iterator is closed.

        Args:
            texts: The texts.
            timeout: Seconds that each request may take.
            options: As in `translate`.

        Returns:
            The translations, one for each text and in their order; one that the server could not
            translate has an ``error``.

        Raises:
            FerrymanError: A request failed.
        """
        if isinstance(texts, str):
            raise TypeError("texts is a str: use translate() for one text")
        make_request = request_maker(**options)
        return self._translate_all(texts, make_request, partial(self._session.deadline, timeout))

    def stream(
        self, text: str, /, *, timeout: float | None = None, **options: Unpack[TranslateOptions]
    ) -> TranslationStream:
        """Translate one text, and read its translation while it comes about.

        Args:
            text: A text of any number of sentences and lines.
            timeout: Seconds that the whole call may take.
            options: As in `translate`.

        Returns:
            What yields the pieces, and has the whole translation after the last.

        Raises:
            FerrymanError: From the stream: the call failed, or the text could not be translated.
        """
        (chunk,) = ChunkSize().chunks([text])
        request = messages.StreamTranslateTextRequest(request=request_maker(**options)(chunk.texts))
        headers = self._session.metadata

        def start(seconds: float) -> Started:
            method = self._stub.StreamTranslateText
            return self._starter.start(lambda: method(request, timeout=seconds, metadata=headers))

        attempts = self._session.attempts(self._session.deadline(timeout))
        return TranslationStream(text, start, attempts, self._session.target)

    def score(
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
        """Tell how likely a model finds given translations.

        Args:
            pairs: Sentences, each with a translation of it.
            source: As in `translate`, as ``target``, ``model`` and ``timeout`` too.
            target: BCP-47 code of the language of the translations.
            model: Model to ask.
            output: What to return besides the scores.
            timeout: Seconds that the call may take.

        Returns:
            One for each pair, in their order; one that could not be scored has an ``error``.

        Raises:
            FerrymanError: The call failed.
        """
        listed = list(pairs)
        request = score_request(listed, source=source, target=target, model=model, output=output)
        deadline = self._session.deadline(timeout)
        return scores_of(self._begin(self._stub.ScoreText, request, deadline).result(), listed)

    def tokenize(
        self,
        texts: Iterable[str],
        /,
        *,
        source: str = "",
        target: str = "",
        model: str = "",
        timeout: float | None = None,
    ) -> list[tuple[Token, ...]]:
        """Tell which tokens texts consist of; arguments as in `score`.

        Raises:
            FerrymanError: The call failed.
        """
        listed = [texts] if isinstance(texts, str) else list(texts)
        request = tokenize_request(listed, source=source, target=target, model=model)
        deadline = self._session.deadline(timeout)
        return tokenized_of(
            self._begin(self._stub.TokenizeText, request, deadline).result(), listed
        )

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
