"""Every status of the contract becomes its exception, with all that the server said."""

from __future__ import annotations

import pickle

import grpc
import pytest
from google.protobuf import duration_pb2, wrappers_pb2
from google.rpc import error_details_pb2, status_pb2

import ferryman
from ferryman.errors import ErrorDetails, FerrymanError
from ferryman.statuses import error_of_status

CODES = [code for code in grpc.StatusCode if code is not grpc.StatusCode.OK]

TABLE = [
    ("INVALID_ARGUMENT", "INVALID_FIELD", ferryman.InvalidRequestError),
    ("INVALID_ARGUMENT", "INPUT_TOO_LONG", ferryman.InputTooLongError),
    ("INVALID_ARGUMENT", "UNSUPPORTED_LANGUAGE_PAIR", ferryman.UnsupportedLanguagePairError),
    ("NOT_FOUND", "MODEL_NOT_FOUND", ferryman.ModelNotFoundError),
    ("NOT_FOUND", "", ferryman.NotFoundError),
    ("FAILED_PRECONDITION", "FEATURE_UNAVAILABLE", ferryman.UnsupportedError),
    ("UNIMPLEMENTED", "", ferryman.UnsupportedError),
    ("RESOURCE_EXHAUSTED", "QUEUE_FULL", ferryman.OverloadedError),
    ("RESOURCE_EXHAUSTED", "DEVICE_MEMORY", ferryman.OverloadedError),
    ("UNAVAILABLE", "SERVER_DRAINING", ferryman.UnavailableError),
    ("DEADLINE_EXCEEDED", "DECODE_DEADLINE", ferryman.DeadlineError),
    ("CANCELLED", "", ferryman.RequestCancelledError),
    ("UNAUTHENTICATED", "", ferryman.AccessError),
    ("PERMISSION_DENIED", "", ferryman.AccessError),
    ("INTERNAL", "INTERNAL", ferryman.ServerError),
    ("UNKNOWN", "A_REASON_OF_TOMORROW", ferryman.ServerError),
]


def info(reason, **metadata):
    return error_details_pb2.ErrorInfo(reason=reason, domain="ferryman", metadata=metadata)


@pytest.mark.parametrize(("code", "reason", "expected"), TABLE)
def test_a_status_becomes_its_exception(impatient_client, service, code, reason, expected):
    service.fail(code, "what happened", info(reason))

    with pytest.raises(expected) as caught:
        impatient_client.translate("a")

    assert type(caught.value) is expected
    assert str(caught.value) == "what happened"
    assert (caught.value.status, caught.value.reason) == (code, reason)


@pytest.mark.parametrize("code", CODES, ids=lambda code: code.name)
def test_no_status_goes_without_an_exception(impatient_client, service, code):
    service.abort(code, "bare")

    with pytest.raises(FerrymanError, match=r"bare|within") as caught:
        impatient_client.translate("a")
    assert caught.value.status == code.name


def test_all_details_arrive(client, service):
    violations = [
        error_details_pb2.BadRequest.FieldViolation(field="contents[3]", description="too long"),
        error_details_pb2.BadRequest.FieldViolation(field="model", description="odd"),
    ]
    service.fail(
        "INVALID_ARGUMENT",
        "two faults",
        error_details_pb2.BadRequest(field_violations=violations),
        error_details_pb2.RequestInfo(request_id="call-7"),
        info("INPUT_TOO_LONG", limit="1000"),
        error_details_pb2.RetryInfo(retry_delay=duration_pb2.Duration(seconds=1, nanos=500000000)),
        wrappers_pb2.StringValue(value="of a kind that this client does not know"),
    )

    with pytest.raises(ferryman.InputTooLongError) as caught:
        client.translate("a")

    error = caught.value
    assert [(fault.field, fault.description) for fault in error.field_violations] == [
        ("contents[3]", "too long"),
        ("model", "odd"),
    ]
    assert error.request_id == "call-7"
    assert error.details.metadata == {"limit": "1000"}
    assert error.retry_after == 1.5


def test_what_is_available_is_a_tuple_of_names(client, service):
    service.fail("NOT_FOUND", "no such model", info("MODEL_NOT_FOUND", available="en-fr, news,de"))

    with pytest.raises(ferryman.ModelNotFoundError) as caught:
        client.translate("a", model="x")
    assert caught.value.available == ("en-fr", "news", "de")


def test_broken_details_do_not_hide_the_status(client, service):
    service.abort(
        grpc.StatusCode.NOT_FOUND, "no such thing", ("grpc-status-details-bin", b"\xff\xff")
    )

    with pytest.raises(ferryman.NotFoundError, match="no such thing"):
        client.translate("a")


def test_a_message_that_grpc_itself_refuses_is_too_long(client, service):
    service.limits.max_request_bytes = 0

    with pytest.raises(ferryman.InputTooLongError, match="larger than max") as caught:
        client.translate("x" * (5 << 20))
    assert caught.value.status == "RESOURCE_EXHAUSTED"
    assert service.requests == []


def test_a_server_of_another_kind_is_named_as_such(client, service):
    service.abort(grpc.StatusCode.UNIMPLEMENTED, "Method not found!")

    with pytest.raises(ferryman.UnsupportedError, match="is it a ferryman server"):
        client.translate("a")


def test_an_unknown_number_of_a_status_is_an_unknown_status():
    error = error_of_status(status_pb2.Status(code=99, message="odd"))

    assert type(error) is ferryman.ServerError
    assert error.status == "UNKNOWN"


@pytest.mark.parametrize("kind", [*FerrymanError.__subclasses__(), ferryman.InputTooLongError])
def test_errors_survive_pickling(kind):
    error = kind("what happened", ErrorDetails(status="ABORTED", retry_after=1.0))

    copy = pickle.loads(pickle.dumps(error))

    assert type(copy) is kind
    assert (str(copy), copy.details) == (str(error), error.details)
