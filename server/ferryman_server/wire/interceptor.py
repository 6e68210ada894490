"""What every call passes through: bytes decoded, errors made statuses, one line in the log."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final, NoReturn, TypeAlias

import grpc
from google.protobuf.message import DecodeError
from grpc_status import rpc_status

from ferryman.v1 import translation_service_pb2
from ferryman_server.admission import Admission
from ferryman_server.call import Call, enter_call
from ferryman_server.errors import Fault, InvalidRequestError, ServiceError
from ferryman_server.wire.requests import valid_request_id
from ferryman_server.wire.statuses import status_of

SERVICE: Final = translation_service_pb2.DESCRIPTOR.services_by_name["TranslationService"].full_name
REQUEST_ID: Final = "x-request-id"
"""Header that names a call where its request does not, and trailer that tells the name."""

_log = logging.getLogger("ferryman.call")

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
Context: TypeAlias = Any
"""`grpc.aio.ServicerContext`; its stubs know neither its callbacks nor its asynchronous methods."""


class CallInterceptor(grpc.aio.ServerInterceptor):
    """Wraps every method with a single request.

    gRPC would decode the request before the method is called, and answer bytes that are no message
    with UNKNOWN. So the method gets the bytes, and decodes them where errors become statuses.

    Args:
        admission: What calls of the translation service ask for leave. Health and reflection do
            not: they answer whatever the load.
    """

    def __init__(self, admission: Admission) -> None:
        self._admission = admission

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        """Return the handler of a method, wrapped."""
        handler = await continuation(handler_call_details)
        if handler is None or handler.unary_unary is None or handler.request_deserializer is None:
            return handler
        method_body: Callable[[object, Context], Any] = handler.unary_unary
        decode = handler.request_deserializer
        service, _, method = handler_call_details.method.lstrip("/").rpartition("/")
        is_ours = service == SERVICE

        async def answer(raw: bytes, context: Context) -> object:
            call = _new_call(method, context)
            enter_call(call)
            try:
                if is_ours:
                    self._enter(call, context)
                request = _decoded(decode, raw, call)
                response = await method_body(request, context)
            except grpc.aio.AbortError:
                raise
            except asyncio.CancelledError:
                _write_log_line(call, _ended_early(context))
                raise
            except Exception as error:
                await _abort(context, call, error)
            if is_ours:
                context.set_trailing_metadata(((REQUEST_ID, call.request_id),))
                _write_log_line(call, grpc.StatusCode.OK)
            return response

        return grpc.unary_unary_rpc_method_handler(
            answer, request_deserializer=None, response_serializer=handler.response_serializer
        )

    def _enter(self, call: Call, context: Context) -> None:
        self._admission.enter()
        # Not when the method returns but when its answer is sent: a server that stops in between
        # would lose it.
        context.add_done_callback(lambda _: self._admission.leave(call.seconds))


def _new_call(method: str, context: Context) -> Call:
    for name, value in context.invocation_metadata() or ():
        if name == REQUEST_ID and isinstance(value, str) and valid_request_id(value):
            return Call(method, value)
    return Call(method)


def _decoded(decode: Callable[[bytes], object], raw: bytes, call: Call) -> object:
    try:
        request = decode(raw)
    except DecodeError as error:
        fault = Fault("", "the bytes are no message of this method")
        raise InvalidRequestError([fault]) from error
    request_id = getattr(request, "request_id", "")
    if request_id and valid_request_id(request_id):
        call.request_id = request_id
    return request


async def _abort(context: Context, call: Call, error: Exception) -> NoReturn:
    status = status_of(error, call.request_id)
    if isinstance(error, ServiceError):
        call.facts["reason"] = error.reason
        _write_log_line(call, error.code)
    elif isinstance(error, NotImplementedError):
        _write_log_line(call, grpc.StatusCode.UNIMPLEMENTED)
    else:
        _write_log_line(call, grpc.StatusCode.INTERNAL, error)
    await context.abort_with_status(rpc_status.to_status(status))
    raise AssertionError("abort raises")


def _ended_early(context: Context) -> grpc.StatusCode:
    """Return why a call ended before its answer: its deadline, or its caller."""
    if context.time_remaining() == 0:
        return grpc.StatusCode.DEADLINE_EXCEEDED
    return grpc.StatusCode.CANCELLED


def _write_log_line(call: Call, code: grpc.StatusCode, error: Exception | None = None) -> None:
    facts = {
        "request_id": call.request_id,
        "code": code.name,
        "milliseconds": round(call.seconds * 1000, 1),
        **call.facts,
    }
    level = logging.INFO if error is None else logging.ERROR
    _log.log(level, "%s", call.method, exc_info=error, extra={"facts": facts})
