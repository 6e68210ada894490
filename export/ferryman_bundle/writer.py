"""Writing a bundle: equal input gives equal bytes, and a bundle appears whole or not at all."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from ferryman_bundle.document import write_manifest
from ferryman_bundle.errors import BundleError
from ferryman_bundle.manifest import MANIFEST, FileEntry, Manifest


def describe_files(contents: Mapping[str, bytes]) -> dict[str, FileEntry]:
    """Return what a manifest says of files, in the order of their names."""
    return {
        name: FileEntry(size=len(contents[name]), sha256=hashlib.sha256(contents[name]).hexdigest())
        for name in sorted(contents)
    }


def require_absent(directory: Path) -> None:
    """Check that a bundle can be written, before minutes go into making it.

    Raises:
        BundleError: The directory exists.
    """
    if directory.exists() or directory.is_symlink():
        raise BundleError(f"{directory}: exists already; remove it or choose another name")


def write_bundle(directory: Path, manifest: Manifest, contents: Mapping[str, bytes]) -> None:
    """Write a bundle into a directory that is not there yet.

    The files are written beside it, made durable, and renamed into place as one.

    Args:
        directory: Of the bundle; its parent is made where it is missing.
        manifest: With the `describe_files` of `contents`.
        contents: Every file but the manifest, by name.

    Raises:
        BundleError: `directory` exists, or the manifest describes other files.
    """
    if manifest.files != describe_files(contents):
        raise BundleError(f"{directory}: the manifest describes other files than were given")
    require_absent(directory)
    directory.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix=f".{directory.name}.", dir=directory.parent))
    try:
        for name, content in {**contents, MANIFEST: write_manifest(manifest)}.items():
            _write_durably(unfinished / name, content)
        unfinished.chmod(0o755)
        _make_durable(unfinished)
        unfinished.rename(directory)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    _make_durable(directory.parent)


def _write_durably(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _make_durable(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
