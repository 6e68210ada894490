"""Every error of a call to the server, and the gRPC statuses that each stands for.

* FerrymanError                   all of them: what to catch when it does not matter why
  + InvalidRequestError           INVALID_ARGUMENT, OUT_OF_RANGE     the request must change
    - InputTooLongError                                              shorten or split the text
    - UnsupportedLanguagePairError                                   `available` lists the pairs
  + NotFoundError                 NOT_FOUND                          what was named is not there
    - ModelNotFoundError                                             `available` lists the models
  + UnsupportedError              FAILED_PRECONDITION, UNIMPLEMENTED this server or model cannot
  + AccessError                   UNAUTHENTICATED, PERMISSION_DENIED a key is missing, or too weak
  + OverloadedError               RESOURCE_EXHAUSTED                 retry after `retry_after`
  + UnavailableError              UNAVAILABLE                        no server answers; retry later
  + DeadlineError                 DEADLINE_EXCEEDED                  allow more time, or send less
  + RequestCancelledError         CANCELLED                          somebody gave the call up
  + ServerError                   INTERNAL, UNKNOWN, any other       report it with `request_id`
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar, Self

from ferryman.exit_codes import ExitCode


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldViolation:
    """One fault of a request."""

    field: str
    """Path of the field, as ``contents[3]`` or ``decoding.beam_size``."""
    description: str
    """What is wrong with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorDetails:
    """What the server said about an error besides its message."""

    status: str = "UNKNOWN"
    """Name of the gRPC status, as ``NOT_FOUND``."""
    reason: str = ""
    """Stable name of the cause, as ``MODEL_NOT_FOUND``; empty when the server gave none."""
    metadata: Mapping[str, str] = field(default_factory=dict)
    """Facts about the cause, such as ``limit`` or ``available``."""
    request_id: str = ""
    """Name of the call in the server's log; empty when no server saw it."""
    field_violations: tuple[FieldViolation, ...] = ()
    """Faults of the request, field by field."""
    retry_after: float | None = None
    """Seconds after which the server asked to try again; None when it did not ask."""


class FerrymanError(Exception):
    """A call to the server failed.

    >>> from ferryman import Client, FerrymanError, Retry
    >>> try:
    ...     with Client("127.0.0.1:1", retry=Retry(max_attempts=1)) as client:
    ...         client.translate("Hello.", target="fr")
    ... except FerrymanError as error:
    ...     print(error.status)
    UNAVAILABLE
    """

    exit_code: ClassVar[ExitCode] = ExitCode.FAILURE
    """What the `ferryman` command exits with."""

    def __init__(self, message: str, details: ErrorDetails | None = None) -> None:
        super().__init__(message, details)
        self.message = message
        self.details = details or ErrorDetails()

    def __str__(self) -> str:
        return self.message

    @property
    def status(self) -> str:
        """Name of the gRPC status, as ``NOT_FOUND``."""
        return self.details.status

    @property
    def reason(self) -> str:
        """Stable name of the cause, as ``MODEL_NOT_FOUND``; empty when the server gave none."""
        return self.details.reason

    @property
    def request_id(self) -> str:
        """Name of the call in the server's log; empty when no server saw it."""
        return self.details.request_id

    @property
    def was_answered(self) -> bool:
        """Whether a server said this; else the transport did, which found none or lost it."""
        return bool(self.details.reason or self.details.request_id)

    @property
    def field_violations(self) -> tuple[FieldViolation, ...]:
        """Faults of the request, field by field."""
        return self.details.field_violations

    @property
    def retry_after(self) -> float | None:
        """Seconds after which the server asked to try again; None when it did not ask."""
        return self.details.retry_after

    @property
    def available(self) -> tuple[str, ...]:
        """What the server has in place of what was asked for, as ``("en-fr", "fr-en")``."""
        names = self.details.metadata.get("available", "").split(",")
        return tuple(name.strip() for name in names if name.strip())

    def with_texts_named(self, name: Callable[[int], str]) -> Self:
        """Return this error with ``name(3)`` wherever it says ``contents[3]``.

        The server counts the texts of one request; who reads the error may count otherwise.
        """

        def named(text: str) -> str:
            return re.sub(r"\bcontents\[(\d+)\]", lambda match: name(int(match[1])), text)

        violations = tuple(
            FieldViolation(field=named(fault.field), description=named(fault.description))
            for fault in self.field_violations
        )
        details = replace(self.details, field_violations=violations)
        return type(self)(named(self.message), details)


class InvalidRequestError(FerrymanError):
    """The request is wrong; the same request will fail again."""

    exit_code = ExitCode.BAD_INPUT


class InputTooLongError(InvalidRequestError):
    """A text, or all of them together, is longer than the server accepts."""


class UnsupportedLanguagePairError(InvalidRequestError):
    """No model of the server translates this pair; ``available`` lists those that it translates."""

    exit_code = ExitCode.NOT_OFFERED


class NotFoundError(FerrymanError):
    """Something that the request names does not exist on the server."""

    exit_code = ExitCode.NOT_OFFERED


class ModelNotFoundError(NotFoundError):
    """The server has no such model; ``available`` lists those that it has."""


class UnsupportedError(FerrymanError):
    """This server, or this model, cannot do what was asked for."""

    exit_code = ExitCode.NOT_OFFERED


class AccessError(FerrymanError):
    """The server does not know the caller, or does not let the caller do this."""


class OverloadedError(FerrymanError):
    """The server has no room for the request now; ``retry_after`` is its own estimate."""

    exit_code = ExitCode.UNAVAILABLE


class UnavailableError(FerrymanError):
    """No server answers at this address, or it is starting or stopping."""

    exit_code = ExitCode.UNAVAILABLE


class DeadlineError(FerrymanError):
    """The time was up before the answer was there."""

    exit_code = ExitCode.TIMEOUT


class RequestCancelledError(FerrymanError):
    """The call was given up, by this client or by something on the way."""


class ServerError(FerrymanError):
    """The server failed: a defect. Report it, with ``request_id``."""
