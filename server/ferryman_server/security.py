"""What the main port asks of those who call, and the port that tells health to everybody."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import grpc

from ferryman_server.address import free_address
from ferryman_server.certificates import server_credentials
from ferryman_server.config_sections import ServerConfig
from ferryman_server.keys import KeyRing, watched_keys
from ferryman_server.watched_files import WatchedFiles

_log = logging.getLogger("ferryman.server")
_LOOPBACK = re.compile(r"(localhost|127\.[0-9.]+|\[::1\]):\d+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Security:
    """What protects a server; by itself nothing does."""

    credentials: grpc.ServerCredentials | None = None
    """What the main port speaks TLS with; None: plain text."""
    keys: WatchedFiles[KeyRing] | None = None
    """Keys of which each call needs one; None: anybody may call."""
    probe_address: str | None = None
    """Where health is told in plain text and without a key; None: nowhere but at the main port."""


def security_of(config: ServerConfig) -> Security:
    """Return what protects a server of this configuration.

    Raises:
        ConfigError: A file cannot be read.
        AddressError: The address of the probe that was asked for cannot be taken.
    """
    credentials = server_credentials(config)
    keys = watched_keys(Path(config.keys_file)) if config.keys_file else None
    for exposure, remedy in exposures(config):
        _log.warning("%s; %s", exposure, remedy)
    has_probe = (credentials or keys) and config.probe_address != "none"
    return Security(
        credentials=credentials,
        keys=keys,
        probe_address=free_address(config, "probe_address") if has_probe else None,
    )


def exposures(config: ServerConfig) -> Iterator[tuple[str, str]]:
    """Yield what a server that others can reach leaves open, and what to do about it."""
    if _LOOPBACK.fullmatch(config.address):
        return
    if config.keys_file is None and config.tls_client_ca is None:
        yield (
            f"whoever reaches {config.address} may call",
            "--keys-file and --tls-client-ca ask who it is",
        )
    if config.keys_file is not None and config.tls_certificate is None:
        yield f"keys travel in plain text to {config.address}", "see --tls-certificate"
