"""Clients of the verbs: made of what the command line says about the server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from ferryman.async_client import AsyncClient
    from ferryman.client import Client


def connected(server: str, *, timeout: float) -> Client:
    """Return a client of a server.

    Raises:
        typer.BadParameter: That is no address.
    """
    from ferryman.client import Client  # only now: --help, and a wrong option, need no gRPC

    try:
        return Client(server, timeout=timeout)
    except ValueError as fault:
        raise typer.BadParameter(str(fault), param_hint="--server") from None


def connected_async(server: str, *, timeout: float) -> AsyncClient:
    """Return the same for the event loop that runs.

    Raises:
        typer.BadParameter: That is no address.
    """
    from ferryman.async_client import AsyncClient

    try:
        return AsyncClient(server, timeout=timeout)
    except ValueError as fault:
        raise typer.BadParameter(str(fault), param_hint="--server") from None
