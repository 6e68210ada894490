"""From exceptions to statuses: the one place that decides what a caller learns of an error."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import grpc
from google.protobuf import any_pb2, duration_pb2, message
from google.rpc import error_details_pb2, status_pb2

from ferryman_server.errors import Fault, QuotaExceededError, ServiceError

DOMAIN: Final = "ferryman"
_MOST_CHARACTERS: Final = 500
"""Of any one string. A status travels in HTTP/2 headers, in base64; peers take 8 KiB of them."""
_MOST_VIOLATION_CHARACTERS: Final = 2500
"""Of all field violations together; those that come after are left out."""


def status_of(error: BaseException, request_id: str) -> status_pb2.Status:
    """Return what a caller gets to know of an error.

    Args:
        error: Why the call, or one text of it, failed. What is no `ServiceError` is a fault of
            ours, and its message and type stay here; but `NotImplementedError` is what the stubs
            raise for a method of the contract that this server lacks.
        request_id: The name under which the log has the rest.
    """
    details: list[message.Message]
    if isinstance(error, ServiceError):
        code, text = error.code, _shortened(str(error))
        details = _details(error)
    elif isinstance(error, NotImplementedError):
        code, text = grpc.StatusCode.UNIMPLEMENTED, "this server does not have this method"
        details = [error_details_pb2.ErrorInfo(reason="METHOD_UNAVAILABLE", domain=DOMAIN)]
    else:
        code = grpc.StatusCode.INTERNAL
        text = f"internal error; the server's log has it under request id {request_id}"
        details = [error_details_pb2.ErrorInfo(reason="INTERNAL", domain=DOMAIN)]
    details.append(error_details_pb2.RequestInfo(request_id=request_id))
    number: int = code.value[0]
    return status_pb2.Status(code=number, message=text, details=[_packed(d) for d in details])


def _details(error: ServiceError) -> list[message.Message]:
    metadata = {name: _shortened(value) for name, value in error.metadata.items()}
    details: list[message.Message] = [
        error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=metadata)
    ]
    if error.faults:
        details.append(error_details_pb2.BadRequest(field_violations=_violations(error.faults)))
    if error.retry_after is not None:
        delay = duration_pb2.Duration()
        delay.FromMilliseconds(round(error.retry_after * 1000))
        details.append(error_details_pb2.RetryInfo(retry_delay=delay))
    if isinstance(error, QuotaExceededError):
        violation = error_details_pb2.QuotaFailure.Violation(
            subject=_shortened(error.subject), description=_shortened(str(error))
        )
        details.append(error_details_pb2.QuotaFailure(violations=[violation]))
    if error.resource is not None:
        details.append(
            error_details_pb2.ResourceInfo(
                resource_type=error.resource.type,
                resource_name=_shortened(error.resource.name),
                description=_shortened(str(error)),
            )
        )
    return details


def _violations(faults: Sequence[Fault]) -> Iterator[error_details_pb2.BadRequest.FieldViolation]:
    left = _MOST_VIOLATION_CHARACTERS
    for fault in faults:
        description = _shortened(fault.description)
        left -= len(fault.path) + len(description)
        if left < 0:
            return
        yield error_details_pb2.BadRequest.FieldViolation(field=fault.path, description=description)


def _packed(detail: message.Message) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(detail)
    return packed


def _shortened(text: str) -> str:
    if len(text) <= _MOST_CHARACTERS:
        return text
    return f"{text[:_MOST_CHARACTERS]} ..."
