"""The configuration of a server: flags over ``FERRYMAN_*`` over defaults, all faults at once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from ferryman_server.cores import usable_cores
from ferryman_server.logs import LogFormat
from ferryman_server.start_errors import ConfigError

Count = Annotated[int, Field(ge=1, le=4096)]


def _host_and_port(address: str) -> str:
    parts = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[^:\[\]]+):(\d{1,5})", address)
    if parts is None or int(parts[2]) > 65535:
        raise ValueError("must be HOST:PORT, as 127.0.0.1:50051")
    return address


class ServerConfig(BaseSettings):
    """All that can be set about a server; each field is a flag and a variable.

    ``drain_seconds`` is ``--drain-seconds`` and ``FERRYMAN_DRAIN_SECONDS``.
    """

    model_config = SettingsConfigDict(env_prefix="FERRYMAN_", env_ignore_empty=True, frozen=True)

    bundle: str | None = None
    """Directory of a bundle, or name of an installed model; None for the installed model."""
    address: Annotated[str, AfterValidator(_host_and_port)] = "127.0.0.1:50051"
    """Where to listen, as ``host:port``; port 0 takes a free one."""
    workers: Count = Field(default_factory=usable_cores)
    """Engine workers, each with a running batch and a core of its own."""
    threads: Count = 1
    """Threads that each worker computes with."""
    max_rows: Count = 64
    """Hypotheses in the running batch of each worker."""
    max_queued_tokens: Annotated[int, Field(ge=1024)] = 1 << 18
    """Source tokens that may wait; what comes beyond is refused at once."""
    max_concurrent_calls: Annotated[int, Field(ge=1)] = 1024
    """Calls at the same time; what comes beyond is refused at once."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """What to compute on."""
    variant: str | None = None
    """Which variant of the bundle to run; None for the one that the device takes by itself."""
    trial_seconds: Annotated[float, Field(ge=0, le=3600)] = 60.0
    """So long may a bundle that was never loaded here take in a process of its own; 0: no trial."""
    max_bundle_bytes: Annotated[int, Field(ge=1)] = 8 << 30
    """The most that the files of a bundle may have together."""
    drain_seconds: Annotated[float, Field(ge=0, le=86400)] = 30.0
    """After SIGTERM, so long may calls take to finish."""
    log_format: LogFormat = LogFormat.TEXT
    """How log lines are written."""


def load_config(flags: Mapping[str, str | None]) -> ServerConfig:
    """Put the configuration together.

    Args:
        flags: The flags by name of their field, as they were typed; None where one was not given.

    Raises:
        ConfigError: With everything that is wrong, one fault a line.
    """
    given = {name: value for name, value in flags.items() if value is not None}
    try:
        return ServerConfig(**given)  # type: ignore[arg-type]  # pydantic reads the text
    except ValidationError as error:
        faults = [
            _fault(str(fault["loc"][0]), fault["msg"], fault["input"], given)
            for fault in error.errors()
        ]
        raise ConfigError("\n".join(faults)) from error


def _fault(name: str, message: str, value: object, flags: Mapping[str, object]) -> str:
    origin = f"--{name.replace('_', '-')}" if name in flags else f"FERRYMAN_{name.upper()}"
    rule = (
        message.removeprefix("Value error, ")
        .replace("Input should", "must")
        .replace("must be a valid", "must be a")
    )
    return f"{origin}: {rule}, but is {value!r}"
