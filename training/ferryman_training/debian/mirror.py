"""A Debian mirror: its indexes, and its packages.

https://wiki.debian.org/DebianRepository/Format. ``Release`` names the indexes with their digests,
``Packages`` the packages with theirs. The signature of ``Release`` is not checked, so the chain of
trust begins at the mirror; the default is reached over TLS.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from ferryman_training.debian.download import Watch, download, fetch
from ferryman_training.debian.errors import MirrorError

_DECOMPRESS: Final = {".xz": lzma.decompress, ".bz2": bz2.decompress, ".gz": gzip.decompress}
_RELEASE_LINE: Final = re.compile(r"^ ([0-9a-f]{64}) +(\d+) +(\S+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Package:
    """One package, as the index describes it."""

    name: str
    version: str
    path: str
    """Below the root of the mirror."""
    size: int
    """Bytes."""
    sha256: str


@dataclass(frozen=True)
class Mirror:
    """One suite of a mirror; what was fetched is kept in a folder."""

    url: str
    suite: str
    folder: Path
    """Where packages and indexes are kept."""
    architecture: str = "amd64"

    @cached_property
    def release(self) -> dict[str, tuple[str, int]]:
        """SHA-256 and size of every index, by its path below ``dists/SUITE/``."""
        text = fetch(f"{self.url}/dists/{self.suite}/Release").decode("utf-8", "replace")
        _, found, digests = text.partition("\nSHA256:\n")
        if not found:
            raise MirrorError(f"{self.url}/dists/{self.suite}/Release: lists no SHA-256")
        return {path: (sha256, int(size)) for sha256, size, path in _RELEASE_LINE.findall(digests)}

    @cached_property
    def packages(self) -> dict[str, Package]:
        """All packages of the suite's main component, by name."""
        text = self.index(f"main/binary-{self.architecture}/Packages")
        return {package.name: package for package in map(_package, stanzas(text))}

    def index(self, path: str, *, watch: Watch = lambda _: None) -> str:
        """Return the text of an index.

        Args:
            path: Below ``dists/SUITE/``, without the suffix of a compression.
            watch: Told how many bytes are here by now.

        Raises:
            MirrorError: The mirror does not answer, or not with what ``Release`` says, or the suite
                has no such index.
        """
        for suffix in (*_DECOMPRESS, ""):
            if path + suffix not in self.release:
                continue
            sha256, size = self.release[path + suffix]
            file = self.folder / "indexes" / f"{path.replace('/', '_')}-{sha256[:16]}{suffix}"
            url = f"{self.url}/dists/{self.suite}/{path}{suffix}"
            download(url, file, size=size, sha256=sha256, watch=watch)
            content = file.read_bytes()
            return _DECOMPRESS.get(suffix, bytes)(content).decode("utf-8")
        raise MirrorError(f"{self.url}/dists/{self.suite}/Release: lists no {path}")

    def fetch(self, package: Package, *, watch: Watch) -> Path:
        """Return where a package lies, downloaded if it was not there.

        Raises:
            MirrorError: The mirror does not answer, or not with what the index says.
        """
        # The name in the index is a path of the mirror's; only its last part becomes one of ours.
        path = self.folder / "packages" / Path(package.path).name
        url = f"{self.url}/{package.path}"
        download(url, path, size=package.size, sha256=package.sha256, watch=watch)
        return path


def stanzas(text: str) -> Iterator[dict[str, str]]:
    """Yield the paragraphs of a control file, each a mapping of fields."""
    for paragraph in re.split(r"\n{2,}", text.strip("\n")):
        fields: dict[str, str] = {}
        name = ""
        for line in paragraph.split("\n"):
            if line[:1] in (" ", "\t"):
                fields[name] += "\n" + line
            else:
                name, _, value = line.partition(":")
                fields[name] = value.strip()
        yield fields


def _package(stanza: dict[str, str]) -> Package:
    try:
        return Package(
            stanza["Package"],
            stanza["Version"],
            stanza["Filename"],
            int(stanza["Size"]),
            stanza["SHA256"],
        )
    except (KeyError, ValueError) as error:
        name = stanza.get("Package", "without a name")
        raise MirrorError(f"the index is damaged at the package {name} ({error})") from error
