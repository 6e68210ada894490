"""Writing a bundle: equal input gives equal bytes, and a bundle appears whole or not at all."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from ferryman_bundle.archive import pack
from ferryman_bundle.document import seal_of, write_manifest
from ferryman_bundle.errors import BundleError
from ferryman_bundle.manifest import MANIFEST, SEAL, FileEntry, Manifest
from ferryman_bundle.sealed import SealedBundle


def describe_files(contents: Mapping[str, bytes]) -> dict[str, FileEntry]:
    """Return what a manifest says of files, in the order of their names."""
    return {
        name: FileEntry(size=len(contents[name]), sha256=hashlib.sha256(contents[name]).hexdigest())
        for name in sorted(contents)
    }


def require_absent(path: Path) -> None:
    """Check that a bundle can be written, before minutes go into making it.

    Raises:
        BundleError: There is something at the path.
    """
    if path.exists() or path.is_symlink():
        raise BundleError(f"{path}: exists already; remove it or choose another name")


def write_bundle(directory: Path, manifest: Manifest, contents: Mapping[str, bytes]) -> None:
    """Write a bundle into a directory that is not there yet.

    Args:
        directory: Of the bundle; its parent is made where it is missing.
        manifest: With the `describe_files` of `contents`.
        contents: Every file but the manifest and its seal, by name.

    Raises:
        BundleError: `directory` exists, or the manifest describes other files.
    """
    if manifest.files != describe_files(contents):
        raise BundleError(f"{directory}: the manifest describes other files than were given")
    document = write_manifest(manifest)
    write_directory(directory, {**contents, MANIFEST: document, SEAL: seal_of(document)})


def write_directory(directory: Path, files: Mapping[str, bytes]) -> None:
    """Write files into a directory that is not there yet.

    They are written beside it, made durable, and renamed into place as one.

    Args:
        directory: To be made; its parent is made where it is missing.
        files: The files of a bundle by name; names have been checked.

    Raises:
        BundleError: `directory` exists.
    """
    require_absent(directory)
    directory.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix=f".{directory.name}.", dir=directory.parent))
    try:
        for name, content in files.items():
            _write_durably(unfinished / name, [content])
        unfinished.chmod(0o755)
        _make_durable(unfinished)
        unfinished.rename(directory)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    _make_durable(directory.parent)


def write_packed(path: Path, sealed: SealedBundle) -> None:
    """Write the packed form of a bundle into a file that is not there yet.

    Args:
        path: To be made; its parent is made where it is missing.
        sealed: The bundle.

    Raises:
        BundleError: `path` exists.
    """
    require_absent(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        _write_durably(unfinished, pack(sealed.files))
        unfinished.rename(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    _make_durable(path.parent)


def _write_durably(path: Path, content: Iterable[bytes]) -> None:
    with path.open("xb") as file:
        file.writelines(content)
        file.flush()
        os.fsync(file.fileno())


def _make_durable(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
