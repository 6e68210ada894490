"""Translating in this process, where the package of the server is installed."""

from __future__ import annotations

from contextlib import AbstractContextManager
from importlib import metadata
from typing import Annotated

import typer

from ferryman.exit_codes import ExitCode

ENTRY_POINTS = "ferryman.local"
"""Entry-point group of what serves a bundle to this process: one function."""

Local = Annotated[
    bool,
    typer.Option(
        "--local",
        help="Translate in this process, without a server; --model may name a bundle on disk.",
    ),
]


class NoLocalServerError(Exception):
    """The server's package is not installed, or not all that it needs."""

    exit_code = ExitCode.MISSING_EXTRA


def local_server(bundle: str) -> AbstractContextManager[str]:
    """Return what serves a bundle to this process inside its block, and gives its address.

    Args:
        bundle: Directory of a bundle, its packed form, or name of an installed model; empty: the
            model that is installed.

    Raises:
        NoLocalServerError: It takes an extra that is not installed.
    """
    missing = "--local needs the server extra ({}): pip install 'ferryman[server]'"
    points = list(metadata.entry_points(group=ENTRY_POINTS))
    if not points:
        raise NoLocalServerError(missing.format("no package offers a server"))
    try:
        serve = points[0].load()
    except ModuleNotFoundError as fault:
        raise NoLocalServerError(missing.format(fault)) from fault
    serving: AbstractContextManager[str] = serve(bundle or None)
    return serving
