"""Every error that a caller can meet, and the one gRPC status that each becomes.

    key --> wire.requests --> catalogue --> text --> engine --> wire.responses --> bytes
     0           1                2           3         4

* ServiceError
  + InvalidRequestError            INVALID_ARGUMENT     INVALID_FIELD              1
  + InputTooLongError              INVALID_ARGUMENT     INPUT_TOO_LONG             1, 3
  + UnsupportedLanguagePairError   INVALID_ARGUMENT     UNSUPPORTED_LANGUAGE_PAIR  2
  + ModelNotFoundError             NOT_FOUND            MODEL_NOT_FOUND            2
  + FeatureUnavailableError        FAILED_PRECONDITION  FEATURE_UNAVAILABLE        1
  + QueueFullError                 RESOURCE_EXHAUSTED   QUEUE_FULL                 4
    + QuotaExceededError           RESOURCE_EXHAUSTED   QUOTA_EXCEEDED             4
  + DeviceMemoryError              RESOURCE_EXHAUSTED   DEVICE_MEMORY              4
  + ServerDrainingError            UNAVAILABLE          SERVER_DRAINING            1, 4
  + DeadlineExceededError          DEADLINE_EXCEEDED    QUEUE_DEADLINE, DECODE_DEADLINE
  + ModelExistsError               ALREADY_EXISTS       MODEL_EXISTS               admin
  + ModelInUseError                FAILED_PRECONDITION  MODEL_IN_USE               admin
  + BundleNotFoundError            NOT_FOUND            BUNDLE_NOT_FOUND           admin
  + BundleRefusedError             FAILED_PRECONDITION  BUNDLE_UNUSABLE            admin
  + AdminDisabledError             FAILED_PRECONDITION  ADMIN_DISABLED             admin
  + NoKeyError                     UNAUTHENTICATED      NO_VALID_KEY               0
  + NotAllowedError                PERMISSION_DENIED    METHOD_NOT_ALLOWED         0

Any other exception is a fault of ours: the caller gets INTERNAL and the id of the request, the log
gets the traceback. `wire.statuses` turns errors into statuses, and nothing else does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import grpc


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with one field of a request."""

    path: str
    """The field, as ``contents[3]`` or ``decoding.beam_size``."""
    description: str
    """What it must be, and what it is."""


class Resource(NamedTuple):
    """What an error is about."""

    type: str
    name: str


class ServiceError(Exception):
    """A request that is not answered, for a reason that its sender should know."""

    code: ClassVar[grpc.StatusCode]
    reason: str
    """Stable name, for programs."""

    def __init__(
        self,
        message: str,
        *,
        faults: Sequence[Fault] = (),
        metadata: Mapping[str, str] | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.faults = tuple(faults)
        """The fields at fault."""
        self.metadata = dict(metadata or {})
        """Further facts for programs, by name."""
        self.resource: Resource | None = None
        """What the error is about, where that is something with a name."""
        self.retry_after = retry_after
        """Seconds after which the same request may succeed; None where it will not."""


class InvalidRequestError(ServiceError):
    """The request breaks the contract; all its faults are reported together."""

    code = grpc.StatusCode.INVALID_ARGUMENT
    reason = "INVALID_FIELD"

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__(_sentence(faults), faults=faults)


class InputTooLongError(ServiceError):
    """A text is longer than the server takes, or a sentence longer than the model reads."""

    code = grpc.StatusCode.INVALID_ARGUMENT
    reason = "INPUT_TOO_LONG"

    def __init__(self, faults: Sequence[Fault], *, length: int, limit: int, unit: str) -> None:
        super().__init__(
            _sentence(faults),
            faults=faults,
            metadata={"length": str(length), "limit": str(limit), "unit": unit},
        )


class UnsupportedLanguagePairError(ServiceError):
    """No model of the server, or not the one asked for, translates this pair of languages."""

    code = grpc.StatusCode.INVALID_ARGUMENT
    reason = "UNSUPPORTED_LANGUAGE_PAIR"

    def __init__(self, message: str, *, available: Sequence[str]) -> None:
        super().__init__(message, metadata={"available": ", ".join(available)})


class ModelNotFoundError(ServiceError):
    """The server has no model of this name."""

    code = grpc.StatusCode.NOT_FOUND
    reason = "MODEL_NOT_FOUND"

    def __init__(self, model: str, *, available: Sequence[str]) -> None:
        names = ", ".join(available)
        super().__init__(
            f"there is no model {model!r} here; there is {names}", metadata={"available": names}
        )
        self.resource = Resource("ferryman.v1.Model", model)


class ModelExistsError(ServiceError):
    """A model of this name and version is loaded already."""

    code = grpc.StatusCode.ALREADY_EXISTS
    reason = "MODEL_EXISTS"

    def __init__(self, model: str) -> None:
        super().__init__(f"{model} is loaded already; unload it first, or raise its version")
        self.resource = Resource("ferryman.v1.Model", model)


class ModelInUseError(ServiceError):
    """A model cannot be unloaded, since calls would have none."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "MODEL_IN_USE"

    def __init__(self, model: str, why: str) -> None:
        super().__init__(f"{model} cannot be unloaded: {why}; set another one first")
        self.resource = Resource("ferryman.v1.Model", model)


class BundleNotFoundError(ServiceError):
    """There is no such bundle in the folder of bundles."""

    code = grpc.StatusCode.NOT_FOUND
    reason = "BUNDLE_NOT_FOUND"

    def __init__(self, bundle: str) -> None:
        super().__init__(f"there is no bundle {bundle!r} in the folder of bundles")
        self.resource = Resource("bundle", bundle)


class BundleRefusedError(ServiceError):
    """A bundle is damaged, does harm, or does not do what it says."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "BUNDLE_UNUSABLE"

    def __init__(self, bundle: str, why: str) -> None:
        super().__init__(why)
        self.resource = Resource("bundle", bundle)


class AdminDisabledError(ServiceError):
    """The server was not told where bundles may be loaded from."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "ADMIN_DISABLED"

    def __init__(self) -> None:
        super().__init__("this server has no folder of bundles: start it with --models-root FOLDER")


class FeatureUnavailableError(ServiceError):
    """The request asks for what this server, or this model, cannot do."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "FEATURE_UNAVAILABLE"

    def __init__(self, faults: Sequence[Fault]) -> None:
        features = ", ".join(fault.path for fault in faults)
        super().__init__(_sentence(faults), faults=faults, metadata={"feature": features})


class QueueFullError(ServiceError):
    """The server has more to do than it may put off; the same request may succeed later."""

    code = grpc.StatusCode.RESOURCE_EXHAUSTED
    reason = "QUEUE_FULL"

    def __init__(self, message: str, *, retry_after: float) -> None:
        super().__init__(message, retry_after=retry_after)


class QuotaExceededError(QueueFullError):
    """There is room, but the caller has more than its share of it; others are served meanwhile.

    Args:
        message: What the caller has too much of.
        subject: Who the caller is taken for, as ``client:website``.
        retry_after: Seconds until it has less.
    """

    reason = "QUOTA_EXCEEDED"

    def __init__(self, message: str, *, subject: str, retry_after: float) -> None:
        super().__init__(message, retry_after=retry_after)
        self.subject = subject


class DeviceMemoryError(ServiceError):
    """What was decoded together did not fit into memory; the same request may, at another time."""

    code = grpc.StatusCode.RESOURCE_EXHAUSTED
    reason = "DEVICE_MEMORY"

    def __init__(self) -> None:
        super().__init__(
            "the memory of the device did not suffice; ask again, or for fewer or shorter texts",
            retry_after=1.0,
        )


class ServerDrainingError(ServiceError):
    """The server finishes what it has and takes no more; another one may take the request."""

    code = grpc.StatusCode.UNAVAILABLE
    reason = "SERVER_DRAINING"

    def __init__(self) -> None:
        super().__init__("the server is shutting down; ask again, or ask another", retry_after=1.0)


class NoKeyError(ServiceError):
    """The call comes with no key, or with one that the server does not know."""

    code = grpc.StatusCode.UNAUTHENTICATED
    reason = "NO_VALID_KEY"


class NotAllowedError(ServiceError):
    """The caller's key is not good for this method."""

    code = grpc.StatusCode.PERMISSION_DENIED
    reason = "METHOD_NOT_ALLOWED"

    def __init__(self, holder: str, method: str) -> None:
        super().__init__(f"the key of {holder} is not good for {method}")


class DeadlineExceededError(ServiceError):
    """The caller's deadline passed before the answer was there.

    Args:
        reason: ``QUEUE_DEADLINE`` or ``DECODE_DEADLINE``: where it passed.
    """

    code = grpc.StatusCode.DEADLINE_EXCEEDED

    def __init__(self, reason: str) -> None:
        super().__init__("the deadline passed before the translation was complete")
        self.reason = reason


def _sentence(faults: Sequence[Fault]) -> str:
    return "; ".join(f"{fault.path}: {fault.description}" for fault in faults)
