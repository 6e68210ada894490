"""Who calls, and whether they may: asked before anything else, of every method of every service."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Any, Final, NoReturn

import grpc
from grpc_status import rpc_status

from ferryman_server.call import Call, enter_client
from ferryman_server.call_log import CallLog
from ferryman_server.errors import NoKeyError, NotAllowedError, ServiceError
from ferryman_server.keys import METHODS, ApiKey, KeyRing
from ferryman_server.watched_files import WatchedFiles
from ferryman_server.wire.interceptor import Context, Handler
from ferryman_server.wire.statuses import status_of

AUTHORIZATION: Final = "authorization"
"""Header with ``Bearer KEY``."""
API_KEY: Final = "x-api-key"
"""Header with the key alone."""


_NAMES: Final = frozenset((*METHODS, "Check", "Watch", "List", "ServerReflectionInfo"))


class KeyInterceptor(grpc.aio.ServerInterceptor):
    """Lets calls through that come with a key that is good for their method.

    What is refused reaches no handler, and not even the bytes of its request are read.

    Args:
        keys: The keys there are at the moment.
        log: Told of the calls that are refused.
    """

    def __init__(self, keys: WatchedFiles[KeyRing], log: CallLog) -> None:
        self._keys = keys
        self._log = log

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        """Return the handler of a method, or one that refuses."""
        service, _, method = handler_call_details.method.lstrip("/").rpartition("/")
        try:
            holder = self._holder(handler_call_details.invocation_metadata or ())
            if not holder.may_call(service, method):
                raise NotAllowedError(holder.name, method)
        except ServiceError as error:
            return self._refusal(method, error)
        enter_client(holder.name)
        return await continuation(handler_call_details)

    def _holder(self, headers: Iterable[tuple[str, str | bytes]]) -> ApiKey:
        secret = _secret(headers)
        if secret is None:
            raise NoKeyError("the call has no key; send the header `authorization: Bearer KEY`")
        holder = self._keys.value().holder_of(secret)
        if holder is None:
            raise NoKeyError("this server does not know the key")
        return holder

    def _refusal(self, method: str, error: ServiceError) -> Handler:
        """Return a handler of any kind of method, which answers before it has read anything."""

        async def refuse(_requests: AsyncIterator[bytes], context: Context) -> NoReturn:
            # Anybody can make up names of methods, and each would be a series of metrics for ever.
            call = Call(method if method in _NAMES else "other")
            call.facts["reason"] = error.reason
            self._log.began(call)
            self._log.ended(call, error.code)
            status = rpc_status.to_status(status_of(error, call.request_id))
            await context.abort_with_status(status)
            raise AssertionError("abort raises")

        behaviour: Any = refuse
        return grpc.stream_stream_rpc_method_handler(behaviour)


def _secret(headers: Iterable[tuple[str, str | bytes]]) -> str | None:
    """Return the key that a call came with."""
    for name, value in headers:
        if not isinstance(value, str):
            continue
        if name == AUTHORIZATION and value[:7].lower() == "bearer ":
            return value[7:].strip()
        if name == API_KEY:
            return value
    return None
