"""Models that are installed as packages, as spaCy's are; found through an entry-point group."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Final

from ferryman_server.start_errors import ModelNotInstalledError

GROUP: Final = "ferryman.models"
"""Each entry point has the name of a model, and is a function that returns its bundle's path."""


def find_bundle(bundle: str | None) -> Path:
    """Return where the bundle is that is asked for.

    Args:
        bundle: A directory, a packed bundle, or the name of an installed model; None for the one
            that is installed.

    Raises:
        ModelNotInstalledError: None is installed, or it is not clear which one is meant.
    """
    if bundle is not None and Path(bundle).exists():
        return Path(bundle)
    installed = {entry.name: entry for entry in entry_points(group=GROUP)}
    if bundle is not None:
        if bundle in installed:
            return _directory(installed[bundle])
        raise ModelNotInstalledError(
            f"there is no bundle {bundle}, and no installed model of that name "
            f"(installed: {', '.join(sorted(installed)) or 'none'})"
        )
    match sorted(installed):
        case [only]:
            return _directory(installed[only])
        case []:
            raise ModelNotInstalledError(
                "no model is installed: run `pip install ./models/en-fr` in the repository, or "
                "name a bundle: `ferryman serve BUNDLE`"
            )
        case several:
            raise ModelNotInstalledError(
                f"several models are installed: name one, as `ferryman serve {several[0]}` "
                f"(installed: {', '.join(several)})"
            )


def _directory(entry: EntryPoint) -> Path:
    directory = entry.load()
    return Path(directory())
