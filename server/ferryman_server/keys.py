"""API keys: who may call what. A key is stored as its SHA-256 only.

Keys are 256 random bits, so that nothing slower than SHA-256 is needed: there is no dictionary of
them to try. The file is JSON, and made by ``ferryman keys``.
"""

from __future__ import annotations

import datetime
import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ferryman.v1 import translation_service_pb2
from ferryman_server.start_errors import ConfigError
from ferryman_server.watched_files import WatchedFiles

PREFIX = "ferryman_"
"""What every key begins with, so that scanners of source code can find a leaked one."""
_METHODS = translation_service_pb2.DESCRIPTOR.services_by_name["TranslationService"].methods
METHODS = tuple(method.name for method in _METHODS)
"""The methods of the translation service, which a key may be limited to."""

_Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ApiKey(_Entry):
    """Who somebody is, and what they may do."""

    name: _Name
    """Names its holder in the log, and in the accounts of who waits."""
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    methods: tuple[Literal[METHODS], ...] | None = None  # type: ignore[valid-type]
    """Methods of the translation service; None for all."""
    admin: bool = False
    """Whether it may call the admin services too."""
    created: datetime.date

    def may_call(self, service: str, method: str) -> bool:
        """Tell whether its holder may call a method.

        Args:
            service: Full name of the service. Health and reflection are for every holder.
            method: Without the service.
        """
        if service.startswith("grpc."):
            return True
        if service == _METHODS[0].containing_service.full_name:
            return self.methods is None or method in self.methods
        return self.admin


class _Document(_Entry):
    format: Literal["ferryman-keys"] = "ferryman-keys"
    version: Literal[1] = 1
    keys: tuple[ApiKey, ...] = ()


class KeyRing:
    """The keys of a file.

    Args:
        keys: Their names differ.
    """

    def __init__(self, keys: Sequence[ApiKey]) -> None:
        self.keys = tuple(keys)

    @classmethod
    def read(cls, path: Path) -> KeyRing:
        """Read a file of keys.

        Raises:
            OSError: It cannot be read.
            ValueError: It is no file of keys.
        """
        try:
            keys = _Document.model_validate_json(path.read_bytes()).keys
        except ValidationError as error:
            fault = error.errors()[0]
            place = ".".join(map(str, fault["loc"]))
            raise ValueError(f"{path} is no file of keys: {place}: {fault['msg']}") from error
        names = [key.name for key in keys]
        if len(set(names)) < len(names):
            raise ValueError(f"{path} has two keys of one name")
        return cls(keys)

    def holder_of(self, secret: str) -> ApiKey | None:
        """Return whose key this is.

        It takes as long whichever key it is, and whether it is any: all are compared, each in
        constant time.
        """
        digest = _digest(secret)
        holder = None
        for key in self.keys:
            if hmac.compare_digest(key.sha256, digest):
                holder = key
        return holder

    def write(self, path: Path) -> None:
        """Write the file, for its owner only, and whole or not at all."""
        document = _Document(keys=self.keys).model_dump(mode="json", exclude_none=True)
        new = path.with_name(f".{path.name}.new")
        new.touch(mode=0o600)
        new.chmod(0o600)
        with new.open("w", encoding="utf-8") as file:
            json.dump(document, file, indent=2)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)


def make_key(
    name: str, *, methods: Sequence[str] | None = None, admin: bool = False
) -> tuple[str, ApiKey]:
    """Make a key.

    Args:
        name: Of its holder.
        methods: Methods of the translation service that it is good for; None for all.
        admin: Whether it is good for the admin services too.

    Returns:
        The key itself, which is nowhere else, and what the file has of it.

    Raises:
        ValueError: The name or a method is none.
    """
    secret = PREFIX + secrets.token_urlsafe(32)
    today = datetime.datetime.now(datetime.UTC).date()
    facts = {"name": name, "sha256": _digest(secret), "admin": admin, "created": today}
    try:
        return secret, ApiKey.model_validate(facts | {"methods": methods})
    except ValidationError as error:
        fault = error.errors()[0]
        raise ValueError(f"{fault['loc'][0]}: {fault['msg']}, not {fault['input']!r}") from error


def watched_keys(path: Path) -> WatchedFiles[KeyRing]:
    """Return the keys of a file, which is read again when it changes.

    Raises:
        ConfigError: It cannot be read.
    """
    try:
        return WatchedFiles([path], lambda: KeyRing.read(path))
    except (OSError, ValueError) as error:
        raise ConfigError(f"--keys-file: {error}") from error


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
