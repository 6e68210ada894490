"""Collecting what is wrong with a request, so that its sender learns of everything at once."""

from __future__ import annotations

from ferryman_server.errors import (
    Fault,
    FeatureUnavailableError,
    InputTooLongError,
    InvalidRequestError,
)


class Faults:
    """What is wrong with one request, as far as it has been read."""

    def __init__(self) -> None:
        self._invalid: list[Fault] = []
        self._unavailable: list[Fault] = []
        self._too_long: list[tuple[Fault, int, int]] = []

    def invalid(self, path: str, description: str) -> None:
        """A field breaks the contract."""
        self._invalid.append(Fault(path, description))

    def unavailable(self, path: str) -> None:
        """A field asks for what this server cannot do; to ignore it would be a wrong answer."""
        self._unavailable.append(Fault(path, "is not available on this server"))

    def too_long(self, path: str, *, length: int, limit: int) -> None:
        """A text has too many code points."""
        description = f"must have at most {limit} characters, but has {length}; split it"
        self._too_long.append((Fault(path, description), length, limit))

    def raise_any(self) -> None:
        """Raise the gravest kind of error there is reason for, with every fault that was found.

        Raises:
            InvalidRequestError: A field breaks the contract.
            InputTooLongError: A text is too long, and nothing breaks the contract.
            FeatureUnavailableError: All fields are sound, but some cannot be served.
        """
        too_long = [fault for fault, _, _ in self._too_long]
        faults = self._invalid + too_long + self._unavailable
        if self._invalid:
            raise InvalidRequestError(faults)
        if self._too_long:
            _, length, limit = max(self._too_long, key=lambda entry: entry[1])
            raise InputTooLongError(faults, length=length, limit=limit, unit="characters")
        if self._unavailable:
            raise FeatureUnavailableError(faults)
