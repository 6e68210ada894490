"""From gRPC statuses with google.rpc details to the exceptions of this package."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import DecodeError
from google.rpc import code_pb2, error_details_pb2, status_pb2

from ferryman import errors
from ferryman.errors import ErrorDetails, FerrymanError, FieldViolation

_DETAILS_KEY = "grpc-status-details-bin"

_BY_STATUS: dict[str, type[FerrymanError]] = {
    "INVALID_ARGUMENT": errors.InvalidRequestError,
    "OUT_OF_RANGE": errors.InvalidRequestError,
    "NOT_FOUND": errors.NotFoundError,
    "FAILED_PRECONDITION": errors.UnsupportedError,
    "UNIMPLEMENTED": errors.UnsupportedError,
    "UNAUTHENTICATED": errors.AccessError,
    "PERMISSION_DENIED": errors.AccessError,
    "RESOURCE_EXHAUSTED": errors.OverloadedError,
    "UNAVAILABLE": errors.UnavailableError,
    "DEADLINE_EXCEEDED": errors.DeadlineError,
    "CANCELLED": errors.RequestCancelledError,
}

_BY_REASON: dict[str, type[FerrymanError]] = {
    "INPUT_TOO_LONG": errors.InputTooLongError,
    "UNSUPPORTED_LANGUAGE_PAIR": errors.UnsupportedLanguagePairError,
    "MODEL_NOT_FOUND": errors.ModelNotFoundError,
}


def error_of_call(fault: grpc.RpcError, *, address: str, timeout: float) -> FerrymanError:
    """Return the exception that stands for a failed call.

    Args:
        fault: The failed call, of either gRPC stack.
        address: Address that was called, for the message.
        timeout: Seconds that the call was given, for the message.
    """
    assert isinstance(fault, grpc.Call | grpc.aio.AioRpcError)  # what gRPC raises is one of these
    code, text = fault.code(), fault.details() or ""
    status = _status_of_trailers(fault.trailing_metadata())
    if status is not None:  # somebody answered, who knows more than the transport
        return _error(code.name, status.message or text, status.details)
    if code is grpc.StatusCode.UNAVAILABLE:
        # gRPC reports a chain of causes, of which the last one is the fact.
        text = f"no server answers at {address}: {text.rpartition(': ')[2]}"
    elif code is grpc.StatusCode.DEADLINE_EXCEEDED:
        text = f"no answer from {address} within {timeout:g} s"
    elif code is grpc.StatusCode.UNIMPLEMENTED:
        text = (
            f"{address} does not offer this: is it a ferryman server, and of this version? {text}"
        )
    elif code is grpc.StatusCode.RESOURCE_EXHAUSTED and "larger than max" in text:
        # gRPC refuses a message by its size before any handler of the server runs.
        return errors.InputTooLongError(text, ErrorDetails(status=code.name))
    return _error(code.name, text, ())


def error_of_status(status: status_pb2.Status) -> FerrymanError:
    """Return the exception that stands for the status of one text among many."""
    try:
        name = code_pb2.Code.Name(status.code)
    except ValueError:
        name = "UNKNOWN"
    return _error(name, status.message, status.details)


def _status_of_trailers(
    trailers: Iterable[tuple[str, str | bytes]] | None,
) -> status_pb2.Status | None:
    for key, value in trailers or ():
        if key == _DETAILS_KEY and isinstance(value, bytes):
            try:
                return status_pb2.Status.FromString(value)
            except DecodeError:
                return None  # the status code and its text are still there
    return None


def _error(status: str, message: str, packed: Iterable[AnyMessage]) -> FerrymanError:
    details = _unpacked(status, packed)
    kind = _BY_REASON.get(details.reason) or _BY_STATUS.get(status, errors.ServerError)
    return kind(message or status, details)


def _unpacked(status: str, packed: Iterable[AnyMessage]) -> ErrorDetails:
    """Collect what the detail messages say; kinds that this client does not know are left out."""
    details = ErrorDetails(status=status)
    info = error_details_pb2.ErrorInfo()
    request = error_details_pb2.RequestInfo()
    fields = error_details_pb2.BadRequest()
    retry = error_details_pb2.RetryInfo()
    for detail in packed:
        if detail.Unpack(info):
            details = replace(details, reason=info.reason, metadata=dict(info.metadata))
        elif detail.Unpack(request):
            details = replace(details, request_id=request.request_id)
        elif detail.Unpack(retry):
            seconds = retry.retry_delay.seconds + retry.retry_delay.nanos / 1e9
            details = replace(details, retry_after=max(0.0, seconds))
        elif detail.Unpack(fields):
            violations = tuple(
                FieldViolation(field=fault.field, description=fault.description)
                for fault in fields.field_violations
            )
            details = replace(details, field_violations=violations)
    return details
