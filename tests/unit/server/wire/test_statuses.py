"""What a caller learns of an error."""

from __future__ import annotations

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from ferryman_server import errors
from ferryman_server.errors import Fault
from ferryman_server.wire.statuses import status_of


def details(status: status_pb2.Status) -> dict[str, object]:
    found = {}
    for packed in status.details:
        name = packed.TypeName().removeprefix("google.rpc.")
        message = getattr(error_details_pb2, name)()
        assert packed.Unpack(message)
        found[name] = message
    return found


EVERY_ERROR = [
    errors.InvalidRequestError([Fault("contents", "must be 1 to 3 texts, but are 0")]),
    errors.InputTooLongError([Fault("contents[1]", "too long")], length=9, limit=8, unit="tokens"),
    errors.UnsupportedLanguagePairError("no such pair", available=["en-fr"]),
    errors.ModelNotFoundError("news", available=["letters@1"]),
    errors.FeatureUnavailableError([Fault("output.alignments", "is not available")]),
    errors.QueueFullError("full", retry_after=2.5),
    errors.QuotaExceededError("too much", subject="client:website", retry_after=0.5),
    errors.DeviceMemoryError(),
    errors.ServerDrainingError(),
    errors.DeadlineExceededError("QUEUE_DEADLINE"),
    errors.ModelExistsError("news@1"),
    errors.ModelInUseError("news@1", "its name stands for it"),
    errors.BundleNotFoundError("news"),
    errors.BundleRefusedError("news", "it is damaged"),
    errors.AdminDisabledError(),
    errors.NoKeyError("no key"),
    errors.NotAllowedError("website", "LoadModel"),
]


@pytest.mark.parametrize("error", EVERY_ERROR, ids=lambda error: error.reason)
def test_every_error_has_its_code_its_reason_and_the_request_id(error):
    status = status_of(error, "id-1")
    found = details(status)
    assert status.code == error.code.value[0]
    assert found["ErrorInfo"].domain == "ferryman"
    assert found["ErrorInfo"].reason == error.reason
    assert found["RequestInfo"].request_id == "id-1"
    assert ("BadRequest" in found) == bool(error.faults)
    assert ("RetryInfo" in found) == (error.retry_after is not None)


def test_the_tree_of_errors_is_complete_and_is_the_documented_one():
    tree = errors.__doc__ or ""
    subclasses = [*errors.ServiceError.__subclasses__(), errors.QuotaExceededError]
    assert {type(error) for error in EVERY_ERROR} == set(subclasses)
    for error in EVERY_ERROR:
        line = next(line for line in tree.splitlines() if type(error).__name__ in line)
        assert error.code.name in line
        assert error.reason in line


def test_a_retry_comes_with_the_measured_wait():
    delay = details(status_of(errors.QueueFullError("full", retry_after=2.5), "id"))["RetryInfo"]
    assert delay.retry_delay.ToMilliseconds() == 2500


def test_a_model_that_is_not_there_is_named_with_those_that_are():
    found = details(status_of(errors.ModelNotFoundError("news", available=["a@1", "b@2"]), "id"))
    assert found["ResourceInfo"].resource_name == "news"
    assert found["ErrorInfo"].metadata["available"] == "a@1, b@2"


def test_an_unexpected_error_tells_nothing_of_the_insides():
    status = status_of(RuntimeError("the password is swordfish"), "id-7")
    assert status.code == grpc.StatusCode.INTERNAL.value[0]
    assert "id-7" in status.message
    assert "swordfish" not in str(status)
    assert "RuntimeError" not in str(status)
    assert details(status)["ErrorInfo"].reason == "INTERNAL"


def test_a_status_fits_into_the_headers_however_many_faults_there_are():
    faults = [Fault(f"contents[{i}]", "x" * 10_000) for i in range(5000)]
    long_names = [f"{'m' * 500}{i}" for i in range(100)]
    for error in (
        errors.InvalidRequestError(faults),
        errors.ModelNotFoundError("x" * 100_000, available=long_names),
    ):
        status = status_of(error, "id")
        in_base64 = len(status.SerializeToString()) * 4 / 3
        assert in_base64 + len(status.message) < 8 * 1024
