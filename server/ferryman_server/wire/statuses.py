"""From exceptions to statuses: the one place that decides what a caller learns of an error."""

from __future__ import annotations

from typing import Final

import grpc
from google.protobuf import any_pb2, duration_pb2, message
from google.rpc import error_details_pb2, status_pb2

from ferryman_server.errors import ModelNotFoundError, ServiceError

DOMAIN: Final = "ferryman"
_MOST_VIOLATIONS: Final = 64
"""A status travels in HTTP/2 headers, which peers limit to 8 KiB and more."""
_MOST_MESSAGE_CHARACTERS: Final = 1000


def status_of(error: BaseException, request_id: str) -> status_pb2.Status:
    """Return what a caller gets to know of an error.

    Args:
        error: Why the call, or one text of it, failed. What is no `ServiceError` is a fault of
            ours, and its message and type stay here.
        request_id: The name under which the log has the rest.
    """
    details: list[message.Message]
    if isinstance(error, ServiceError):
        code, text = error.code, _shortened(str(error))
        details = _details(error)
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
        violations = [
            error_details_pb2.BadRequest.FieldViolation(
                field=fault.path, description=_shortened(fault.description)
            )
            for fault in error.faults[:_MOST_VIOLATIONS]
        ]
        details.append(error_details_pb2.BadRequest(field_violations=violations))
    if error.retry_after is not None:
        delay = duration_pb2.Duration()
        delay.FromMilliseconds(round(error.retry_after * 1000))
        details.append(error_details_pb2.RetryInfo(retry_delay=delay))
    if isinstance(error, ModelNotFoundError):
        details.append(
            error_details_pb2.ResourceInfo(
                resource_type="ferryman.v1.Model", resource_name=error.model, description=str(error)
            )
        )
    return details


def _packed(detail: message.Message) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(detail)
    return packed


def _shortened(text: str) -> str:
    if len(text) <= _MOST_MESSAGE_CHARACTERS:
        return text
    return f"{text[:_MOST_MESSAGE_CHARACTERS]} ..."
