"""A sealed bundle: its files, every byte checked and none of them parsed but the manifest."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final, Protocol

from ferryman_bundle.archive import ArchiveReader
from ferryman_bundle.document import parse_document, seal_of
from ferryman_bundle.errors import BundleError
from ferryman_bundle.files import (
    DirectoryReader,
    SizeLimits,
    opened_bundle,
    plain_size,
    require_size,
)
from ferryman_bundle.manifest import CARD, LICENCE, MANIFEST, SEAL, TOKENIZER, FileEntry, Manifest

_ARCHIVE_OVERHEAD: Final = 1 << 20
"""Headers and padding of a packed bundle, generously."""


class Reader(Protocol):
    """Where the files of a bundle are; see `DirectoryReader`."""

    def has(self, name: str) -> bool:
        """Tell whether there is a file of this name."""

    def expect(self, names: set[str]) -> None:
        """Check that there are no files but these."""

    def read(self, name: str, size: int | None = None, *, limit: int) -> bytes:
        """Read one file whole."""

    def finish(self) -> None:
        """Check that nothing is left to read."""


@dataclass(frozen=True, slots=True)
class SealedBundle:
    """A bundle whose every byte is what its manifest says.

    The manifest is JSON, and is the only file that anything has parsed.
    """

    document: bytes
    """The file ``manifest.json``, of whatever format."""
    manifest: Manifest
    contents: Mapping[str, bytes]
    """The other files by name, without the seal."""
    format_version: int
    """Of the document."""

    @property
    def digest(self) -> str:
        """SHA-256 of the manifest file in hexadecimal.

        The manifest holds the digests of all other files, so it stands for the whole bundle.
        """
        return hashlib.sha256(self.document).hexdigest()

    @property
    def files(self) -> dict[str, bytes]:
        """Every file by name, as it is written."""
        seal = {SEAL: seal_of(self.document)} if self.format_version > 1 else {}
        return {MANIFEST: self.document, **seal, **self.contents}

    @classmethod
    def read(cls, path: Path, limits: SizeLimits | None = None) -> SealedBundle:
        """Read a bundle into memory; what is at the path is not touched again.

        Args:
            path: Of its directory, or of its packed form.
            limits: How much is read at most.

        Raises:
            BundleError: In one line, naming the file at fault.
        """
        try:
            with _reader(path, limits or SizeLimits()) as reader:
                return cls._from(reader, limits or SizeLimits())
        except BundleError as error:
            raise BundleError(f"{path}: {error}") from error

    @classmethod
    def _from(cls, reader: Reader, limits: SizeLimits) -> SealedBundle:
        document = reader.read(MANIFEST, limit=limits.manifest)
        sealed = reader.has(SEAL)
        if sealed and reader.read(SEAL, limit=limits.manifest) != seal_of(document):
            raise BundleError(
                f"{MANIFEST}: does not have the SHA-256 of {SEAL}; fetch the bundle again"
            )
        format_version, manifest = parse_document(document)
        if format_version > 1 and not sealed:
            raise BundleError(f"{SEAL}: is missing; fetch the bundle again")
        own = {MANIFEST, SEAL} if format_version > 1 else {MANIFEST}
        reader.expect({*manifest.files, *own})
        _check_sizes(manifest, limits)
        contents = {
            name: _read_checked(reader, name, manifest.files[name], limits)
            for name in sorted(manifest.files)
        }
        reader.finish()
        return cls(document, manifest, MappingProxyType(contents), format_version)


@contextmanager
def _reader(path: Path, limits: SizeLimits) -> Iterator[Reader]:
    """Open a directory or a packed bundle."""
    with opened_bundle(path) as descriptor:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            yield DirectoryReader(descriptor)
            return
        size = plain_size(descriptor, "the packed bundle")
        require_size("the packed bundle", size, None, limit=limits.bundle + _ARCHIVE_OVERHEAD)
        with open(descriptor, "rb", closefd=False) as file:
            yield ArchiveReader(file)


def _check_sizes(manifest: Manifest, limits: SizeLimits) -> None:
    """Check what the manifest would make us read."""
    total = sum(entry.size for entry in manifest.files.values())
    if total > limits.bundle:
        raise BundleError(
            f"{MANIFEST}: lists {total} bytes of files; at most {limits.bundle} are read"
        )
    graphs = {g.file for variant in manifest.variants.values() for g in variant.graphs.values()}
    texts = {TOKENIZER, CARD, LICENCE}
    for names, limit in ((graphs, limits.graph), (texts, limits.text)):
        for name in sorted(names):
            require_size(name, manifest.files[name].size, None, limit=limit)


def _read_checked(reader: Reader, name: str, entry: FileEntry, limits: SizeLimits) -> bytes:
    """Read one file of which size and digest are known."""
    content = reader.read(name, entry.size, limit=limits.bundle)
    if hashlib.sha256(content).hexdigest() != entry.sha256:
        raise BundleError(
            f"{name}: does not have the SHA-256 of the manifest; fetch the bundle again"
        )
    return content
