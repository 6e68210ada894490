"""Clients without a server, for the tests of those who use this package.

>>> from ferryman.testing import FakeClient
>>> with FakeClient({"Good morning.": "Bonjour."}) as client:
...     client.translate("Good morning.", target="fr").text
...     client.translate("Anything else.", target="fr").text
...     client.requests[0].texts
'Bonjour.'
'Anything else. [fr]'
('Good morning.',)
"""

from __future__ import annotations

from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Callable,
    Generator,
    Iterable,
    Iterator,
    Mapping,
)
from dataclasses import dataclass, field
from typing import Self, Unpack, overload

from ferryman.errors import FerrymanError
from ferryman.options import TranslateOptions
from ferryman.results import FinishReason, Hypothesis, Translation

Answers = Mapping[str, str | FerrymanError] | Callable[[str], str | FerrymanError]
"""The translation of each text, or the error that it fails with."""


@dataclass(frozen=True, slots=True)
class FakeRequest:
    """What a fake client was asked."""

    texts: tuple[str, ...]
    options: TranslateOptions = field(default_factory=TranslateOptions)


class _Fake:
    """What both fakes know.

    Args:
        answers: A translation, or an error, for each text; or what makes one. A text that has none
            is translated to itself, with the language it should be in.
    """

    def __init__(self, answers: Answers | None = None) -> None:
        self.requests: list[FakeRequest] = []
        """What was asked, in order."""
        self._answers = answers or {}

    def _translations(self, texts: Iterable[str], options: TranslateOptions) -> list[Translation]:
        request = FakeRequest(tuple(texts), options)
        self.requests.append(request)
        return [self._translation(text, options) for text in request.texts]

    def _one(self, text: str, options: TranslateOptions) -> Translation:
        (translation,) = self._translations([text], options)
        if translation.error is not None:
            raise translation.error
        return translation

    def _translation(self, text: str, options: TranslateOptions) -> Translation:
        target = options.get("target") or "xx"
        answer = (
            self._answers(text)
            if callable(self._answers)
            else self._answers.get(text, f"{text} [{target}]" if text.strip() else text)
        )
        failed = isinstance(answer, FerrymanError)
        return Translation(
            source=text,
            hypotheses=() if failed else (_hypothesis(str(answer)),),
            model=options.get("model") or "fake@1.0.0",
            source_language=options.get("source") or "en",
            target_language=target,
            error=answer if isinstance(answer, FerrymanError) else None,
        )


class FakeClient(_Fake):
    """Answers as a `ferryman.Client` would, without a server; it is a context manager too."""

    @overload
    def translate(  # type: ignore[overload-overlap]
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
        timeout: float | None = None,  # noqa: ARG002
        **options: Unpack[TranslateOptions],
    ) -> Translation | list[Translation]:
        """Translate as `ferryman.Client.translate`.

        Raises:
            FerrymanError: It is the answer to the one text.
        """
        if isinstance(text, str):
            return self._one(text, options)
        return self._translations(text, options)

    def translate_each(
        self,
        texts: Iterable[str],
        /,
        *,
        timeout: float | None = None,  # noqa: ARG002
        **options: Unpack[TranslateOptions],
    ) -> Generator[Translation, None, None]:
        """Translate as `ferryman.Client.translate_each`."""
        for text in texts:
            yield from self._translations([text], options)

    def stream(
        self,
        text: str,
        /,
        *,
        timeout: float | None = None,  # noqa: ARG002
        **options: Unpack[TranslateOptions],
    ) -> FakeStream:
        """Translate as `ferryman.Client.stream`; the pieces are words."""
        return FakeStream(self._one(text, options))

    def close(self) -> None:
        """Do nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return


class FakeAsyncClient(_Fake):
    """Answers as a `ferryman.AsyncClient` would, without a server."""

    @overload
    async def translate(  # type: ignore[overload-overlap]
        self, text: str, /, *, timeout: float | None = None, **options: Unpack[TranslateOptions]
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
        timeout: float | None = None,  # noqa: ARG002
        **options: Unpack[TranslateOptions],
    ) -> Translation | list[Translation]:
        """Translate as `ferryman.AsyncClient.translate`.

        Raises:
            FerrymanError: It is the answer to the one text.
        """
        if isinstance(text, str):
            return self._one(text, options)
        return self._translations(text, options)

    async def translate_each(
        self,
        texts: Iterable[str],
        /,
        *,
        timeout: float | None = None,  # noqa: ARG002
        **options: Unpack[TranslateOptions],
    ) -> AsyncGenerator[Translation, None]:
        """Translate as `ferryman.AsyncClient.translate_each`."""
        for text in texts:
            for translation in self._translations([text], options):
                yield translation

    def stream(
        self,
        text: str,
        /,
        *,
        timeout: float | None = None,  # noqa: ARG002
        **options: Unpack[TranslateOptions],
    ) -> FakeStream:
        """Translate as `ferryman.AsyncClient.stream`; the pieces are words."""
        return FakeStream(self._one(text, options))

    async def close(self) -> None:
        """Do nothing."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        return


class FakeStream:
    """A translation that comes word by word, for both kinds of clients."""

    def __init__(self, translation: Translation) -> None:
        self.translation = translation
        """The whole translation."""
        words = translation.text.split(" ")
        self._pieces = [*(word + " " for word in words[:-1]), words[-1]]

    def __iter__(self) -> Iterator[str]:
        return iter(self._pieces)

    async def __aiter__(self) -> AsyncIterator[str]:
        for piece in self._pieces:
            yield piece

    def close(self) -> None:
        """Do nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        return


def _hypothesis(text: str) -> Hypothesis:
    return Hypothesis(
        text=text,
        score=-0.5,
        log_prob=-0.5 * (len(text.split()) + 1),
        token_count=len(text.split()) + 1,
        finish_reason=FinishReason.EOS,
    )
