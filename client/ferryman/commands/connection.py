"""Clients of the verbs: made of what the command line says about the server."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import typer

from ferryman.channel import Tls

if TYPE_CHECKING:
    from ferryman.async_client import AsyncClient
    from ferryman.client import Client


CREDENTIALS = {
    "FERRYMAN_API_KEY": "key that the server asks for",
    "FERRYMAN_CLIENT_TLS": "1: speak TLS, and trust whom gRPC trusts",
    "FERRYMAN_CLIENT_CA": "file, PEM, of who may sign the server's certificate; implies TLS",
    "FERRYMAN_CLIENT_CERTIFICATE": "file, PEM, of the client's own certificate; implies TLS",
    "FERRYMAN_CLIENT_KEY": "file, PEM, of its private key",
}
"""Variables, as a command line can be read by every user of a machine."""


def _credentials(server: str) -> tuple[Tls | None, str | None]:
    """Return how to speak to a server, as the variables say; to a local socket, plainly."""
    if server.startswith("unix:"):
        return None, None
    api_key, wanted, ca, certificate, key = (os.environ.get(name) or None for name in CREDENTIALS)
    speaks = (wanted not in {None, "0"}) or ca or certificate or key
    tls = Tls(ca=ca, certificate=certificate, key=key) if speaks else None
    return tls, api_key


def connected(server: str, *, timeout: float) -> Client:
    """Return a client of a server.

    Raises:
        typer.BadParameter: That is no address.
    """
    from ferryman.client import Client  # only now: --help, and a wrong option, need no gRPC

    try:
        tls, api_key = _credentials(server)
        return Client(server, timeout=timeout, tls=tls, api_key=api_key)
    except ValueError as fault:
        raise typer.BadParameter(str(fault), param_hint="--server") from None


def connected_async(server: str, *, timeout: float) -> AsyncClient:
    """Return the same for the event loop that runs.

    Raises:
        typer.BadParameter: That is no address.
    """
    from ferryman.async_client import AsyncClient

    try:
        tls, api_key = _credentials(server)
        return AsyncClient(server, timeout=timeout, tls=tls, api_key=api_key)
    except ValueError as fault:
        raise typer.BadParameter(str(fault), param_hint="--server") from None
