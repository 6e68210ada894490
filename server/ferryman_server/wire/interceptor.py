"""What every call passes through: bytes decoded, errors made statuses, one line in the log."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from typing import Any, Final, NoReturn, TypeAlias

import grpc
from google.protobuf.message import DecodeError
from grpc_status import rpc_status

from ferryman.v1 import translation_service_pb2
from ferryman_server.admission import Admission
from ferryman_server.call import Call, current_client, enter_call, host_of
from ferryman_server.call_log import CallLog
from ferryman_server.errors import Fault, InvalidRequestError, ServiceError
from ferryman_server.wire.requests import valid_request_id
from ferryman_server.wire.statuses import status_of

SERVICE: Final = translation_service_pb2.DESCRIPTOR.services_by_name["TranslationService"].full_name
REQUEST_ID: Final = "x-request-id"
"""Header that names a call where its request does not, and trailer that tells the name."""

_DEADLINE_SLACK_SECONDS: Final = 0.05
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
Context: TypeAlias = Any
"""`grpc.aio.ServicerContext`; its stubs know neither its callbacks nor its asynchronous methods."""


class CallInterceptor(grpc.aio.ServerInterceptor):
    """Wraps every method of ours, and every other with a single request and a single answer.

    gRPC would decode the request before the method is called, and answer bytes that are no message
    with UNKNOWN. So the method gets the bytes, and decodes them where errors become statuses.

    Args:
        admission: What calls of our service ask for leave. Health and reflection do
            not: they answer whatever the load.
        log: Told of every call, when it arrives and when it ends.
        service: Full name of the service that is ours on this port.
    """

    def __init__(self, admission: Admission, log: CallLog, service: str = SERVICE) -> None:
        self._admission = admission
        self._service = service
        self._log = log

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        """Return the handler of a method, wrapped."""
        handler = await continuation(handler_call_details)
        if handler is None or handler.request_deserializer is None:
            return handler
        service, _, method = handler_call_details.method.lstrip("/").rpartition("/")
        answers = _Answers(self, method, handler, is_ours=service == self._service)
        if handler.unary_unary is not None:
            return answers.handler(grpc.unary_unary_rpc_method_handler, answers.one)
        if not answers.is_ours:
            return handler
        if handler.unary_stream is not None:
            return answers.handler(grpc.unary_stream_rpc_method_handler, answers.many)
        return answers.handler(grpc.stream_stream_rpc_method_handler, answers.many_to_many)

    @asynccontextmanager
    async def guarded(self, method: str, context: Context, *, is_ours: bool) -> AsyncIterator[Call]:
        """Let a call in, make a status of whatever it raises, and keep the books of it."""
        call = _new_call(method, context, is_routine=not is_ours)
        enter_call(call)
        self._log.began(call)
        try:
            if is_ours:
                self._enter(call, context)
            yield call
        except grpc.aio.AbortError:
            self._log.ended(call, _code_of(context))
            raise
        except asyncio.CancelledError:
            self._log.ended(call, _ended_early(context))
            raise
        except Exception as error:
            await self._abort(context, call, error)
        if is_ours:
            context.set_trailing_metadata(((REQUEST_ID, call.request_id),))
        self._log.ended(call, grpc.StatusCode.OK)

    def _enter(self, call: Call, context: Context) -> None:
        self._admission.enter(call.client)
        # Not when the method returns but when its answer is sent: a server that stops in between
        # would lose it.
        context.add_done_callback(lambda _: self._admission.leave(call.seconds, call.client))

    async def _abort(self, context: Context, call: Call, error: Exception) -> NoReturn:
        status = status_of(error, call.request_id)
        if isinstance(error, ServiceError):
            call.facts["reason"] = error.reason
            self._log.ended(call, error.code)
        elif isinstance(error, NotImplementedError):
            self._log.ended(call, grpc.StatusCode.UNIMPLEMENTED)
        else:
            self._log.ended(call, grpc.StatusCode.INTERNAL, error)
        await context.abort_with_status(rpc_status.to_status(status))
        raise AssertionError("abort raises")


class _Answers:
    """What gRPC calls in place of a method: bytes in, messages out.

    Those with many answers write them rather than yield them, so that whatever ends a call early
    is raised here, and closes what makes the answers, at once.
    """

    def __init__(
        self, interceptor: CallInterceptor, method: str, handler: Handler, *, is_ours: bool
    ) -> None:
        self._interceptor = interceptor
        self._method = method
        body: Any = handler.unary_unary or handler.unary_stream or handler.stream_stream
        self._body: Callable[[Any, Context], Any] = body
        assert handler.request_deserializer is not None
        self._decode = handler.request_deserializer
        self._encode = handler.response_serializer
        self.is_ours = is_ours

    def handler(self, make: Callable[..., Handler], answer: Callable[..., Any]) -> Handler:
        """Return what gRPC takes for a method that is answered in one of the ways below."""
        return make(answer, request_deserializer=None, response_serializer=self._encode)

    async def one(self, raw: bytes, context: Context) -> object:
        """Answer one message by one."""
        async with self._guarded(context) as call:
            return await self._body(_decoded(self._decode, raw, call), context)
        raise AssertionError("what guards a call lets every exception through")

    async def many(self, raw: bytes, context: Context) -> None:
        """Answer one message by many."""
        async with self._guarded(context) as call:
            await _write_all(self._body(_decoded(self._decode, raw, call), context), context)

    async def many_to_many(self, raws: AsyncIterator[bytes], context: Context) -> None:
        """Answer many messages by many."""
        async with self._guarded(context) as call:
            requests = (_decoded(self._decode, raw, call) async for raw in raws)
            await _write_all(self._body(requests, context), context)

    def _guarded(self, context: Context) -> AbstractAsyncContextManager[Call]:
        return self._interceptor.guarded(self._method, context, is_ours=self.is_ours)


async def _write_all(responses: AsyncGenerator[object, None], context: Context) -> None:
    async with aclosing(responses):
        async for response in responses:
            try:
                await context.write(response)
            except (grpc.aio.InternalError, grpc.aio.UsageError) as error:
                # Its reader has gone, and gRPC has not said so yet.
                raise asyncio.CancelledError from error


def _new_call(method: str, context: Context, *, is_routine: bool) -> Call:
    call = Call(method, is_routine=is_routine)
    call.client = current_client() or host_of(context.peer())
    for name, value in context.invocation_metadata() or ():
        if name == REQUEST_ID and isinstance(value, str) and valid_request_id(value):
            call.request_id = value
        elif name == "traceparent" and isinstance(value, str):
            call.traceparent = value
    return call


def _code_of(context: Context) -> grpc.StatusCode:
    """Return the code that a method aborted with by itself."""
    code = context.code()
    codes = (known for known in grpc.StatusCode if code in (known, known.value[0]))
    return next(codes, grpc.StatusCode.UNKNOWN)


def _decoded(decode: Callable[[bytes], object], raw: bytes, call: Call) -> object:
    try:
        request = decode(raw)
    except DecodeError as error:
        fault = Fault("", "the bytes are no message of this method")
        raise InvalidRequestError([fault]) from error
    named = getattr(request, "request", None) or getattr(request, "config", None) or request
    request_id = getattr(named, "request_id", "")
    if request_id and valid_request_id(request_id):
        call.request_id = request_id
    return request


def _ended_early(context: Context) -> grpc.StatusCode:
    """Return why a call ended before its answer: its deadline, or its caller.

    A caller's deadline passes a little earlier than ours, and then its cancellation comes first.
    """
    remaining = context.time_remaining()
    if remaining is not None and remaining < _DEADLINE_SLACK_SECONDS:
        return grpc.StatusCode.DEADLINE_EXCEEDED
    return grpc.StatusCode.CANCELLED
