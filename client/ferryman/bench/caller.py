"""Calls to a server without retries, which would hide what is to be measured."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import grpc

from ferryman.bench.loops import Answer
from ferryman.channel import Tls, metadata_of, options_of, target_of
from ferryman.v1 import options_pb2
from ferryman.v1 import translation_service_pb2 as messages
from ferryman.v1.translation_service_pb2_grpc import TranslationServiceStub

PRIORITIES = {
    "low": options_pb2.PRIORITY_LOW,
    "normal": options_pb2.PRIORITY_NORMAL,
    "high": options_pb2.PRIORITY_HIGH,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Which server, and what it asks of those who call."""

    address: str
    tls: Tls | None = None
    """How to speak TLS; None: plain text."""
    api_key: str | None = None

    def channel(self) -> grpc.aio.Channel:
        """Return a channel to it.

        Raises:
            OSError: A file cannot be read.
            ValueError: The address is none.
        """
        target = target_of(self.address)
        if self.tls is None:
            return grpc.aio.insecure_channel(target, options_of(target))
        credentials = self.tls.credentials()
        return grpc.aio.secure_channel(target, credentials, options_of(target, self.tls))

    @property
    def headers(self) -> Sequence[tuple[str, str]]:
        """What each call says of who makes it."""
        return metadata_of(self.api_key)


class Caller:
    """Has texts translated, one a call.

    Args:
        channel: To the server.
        headers: Of each call.
        request: What every call asks for, but the text.
        timeout: Deadline of each call, in seconds.
        is_streaming: Whether to see the first token.
    """

    def __init__(
        self,
        channel: grpc.aio.Channel,
        headers: Sequence[tuple[str, str]],
        request: messages.TranslateTextRequest,
        *,
        timeout: float,
        is_streaming: bool,
    ) -> None:
        self._stub = TranslationServiceStub(channel)
        self._headers = headers
        self._request = request
        self._timeout = timeout
        self._is_streaming = is_streaming

    async def ask(self, text: str) -> Answer:
        """Have one text translated; whatever the server says is an answer."""
        request = messages.TranslateTextRequest()
        request.CopyFrom(self._request)
        request.contents.append(text)
        try:
            if self._is_streaming:
                return await self._stream(request)
            response = await self._stub.TranslateText(
                request, timeout=self._timeout, metadata=self._headers
            )
        except grpc.aio.AioRpcError as error:
            return Answer(code=error.code().name)
        return Answer(code="OK", tokens=response.usage.target_tokens)

    async def _stream(self, request: messages.TranslateTextRequest) -> Answer:
        call = self._stub.StreamTranslateText(
            messages.StreamTranslateTextRequest(request=request),
            timeout=self._timeout,
            metadata=self._headers,
        )
        first, tokens = None, 0
        async for message in call:
            first = first or time.perf_counter()
            if message.HasField("result"):
                tokens = message.result.usage.target_tokens
        return Answer(code="OK", tokens=tokens, first_token=first)
