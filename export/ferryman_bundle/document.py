"""The document: from the bytes of ``manifest.json``, of any format, to a `Manifest`, and back."""

from __future__ import annotations

import hashlib
import json
from typing import Any, Final, NamedTuple

import pydantic

from ferryman_bundle.errors import BundleError, one_line
from ferryman_bundle.format_1 import Manifest1, upgrade
from ferryman_bundle.manifest import FORMAT, FORMAT_VERSION, MANIFEST, Manifest

_FORMATS: Final = (1, FORMAT_VERSION)


class Document(NamedTuple):
    """What ``manifest.json`` says."""

    format_version: int
    """Of the file; the manifest is of today's."""
    manifest: Manifest


def parse_manifest(content: bytes) -> Manifest:
    """Return what ``manifest.json`` says; see `parse_document`."""
    return parse_document(content).manifest


def parse_document(content: bytes) -> Document:
    """Read ``manifest.json``; older formats come out as today's.

    Raises:
        BundleError: It is no manifest, one of a newer format, or one with faults; the message
            is one line.
    """
    document = _parse_json(content)
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise BundleError(f"{MANIFEST}: is not the manifest of a ferryman bundle")
    version = document.get("format_version")
    if type(version) is int and version > FORMAT_VERSION:
        raise BundleError(
            f"{MANIFEST}: has format {version}, but this ferryman reads formats up to "
            f"{FORMAT_VERSION}; upgrade ferryman"
        )
    if type(version) is not int or version not in _FORMATS:
        raise BundleError(
            f"{MANIFEST}: has the unknown format {one_line(repr(version))}; this ferryman reads "
            f"the formats {' and '.join(map(str, _FORMATS))}; export the bundle again"
        )
    try:
        if version == 1:
            return Document(version, upgrade(Manifest1.model_validate(document)))
        return Document(version, Manifest.model_validate(document))
    except pydantic.ValidationError as error:
        raise BundleError(f"{MANIFEST}: {_faults(error)}; export the bundle again") from error


def write_manifest(manifest: Manifest) -> bytes:
    """Return the content of ``manifest.json``, which is always of today's format."""
    return (manifest.model_dump_json(indent=2) + "\n").encode()


def seal_of(document: bytes) -> bytes:
    """Return the content of ``manifest.sha256``, which ``sha256sum --check`` understands."""
    return f"{hashlib.sha256(document).hexdigest()}  {MANIFEST}\n".encode()


def _parse_json(content: bytes) -> Any:
    """Parse JSON strictly: a document that two parsers could understand differently is refused."""
    try:
        document = json.loads(content.decode("utf-8"), object_pairs_hook=_object)
        # An escaped half of a surrogate pair is a string that can be neither sent nor printed.
        json.dumps(document, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError) as error:
        reason = one_line(str(error))
        raise BundleError(
            f"{MANIFEST}: is not valid JSON ({reason}); fetch the bundle again"
        ) from error
    return document


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{one_line(repr(twice))} is there twice")
    return members


def _faults(error: pydantic.ValidationError) -> str:
    """Return the first fault and how many there are besides, in one line."""
    first, *others = error.errors(include_url=False, include_input=False)
    path = ".".join(str(part) for part in first["loc"])
    message = first["msg"].removeprefix("Value error, ")
    more = f" (and {len(others)} more)" if others else ""
    text = f"{path}: {message}" if path else message
    return one_line(text) + more
