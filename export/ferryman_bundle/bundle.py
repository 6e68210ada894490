"""A bundle: a translation model as one verified, immutable value."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from ferryman_bundle.errors import BundleError
from ferryman_bundle.files import opened_directory, read_files, read_manifest_file
from ferryman_bundle.manifest import CARD, LICENCE, TOKENIZER, WEIGHTS, Manifest, parse_manifest
from ferryman_bundle.quantization import Floats
from ferryman_bundle.tokenizer import Tokenizer, TokenizerError
from ferryman_bundle.weights import unpack_weights


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle whose every byte is what its manifest says."""

    manifest: Manifest
    tokenizer: Tokenizer
    contents: Mapping[str, bytes]
    """The files, by name."""
    digest: str = ""
    """SHA-256 of the manifest file in hexadecimal; empty where there is no such file yet. The
    manifest holds the digests of all other files, so this one stands for the whole bundle."""

    @classmethod
    def load(cls, directory: Path) -> Bundle:
        """Read a bundle into memory; the directory is not touched again.

        No parser sees a byte of a file before its size and its SHA-256 have been checked.

        Raises:
            BundleError: In one line, naming the file at fault.
        """
        try:
            with opened_directory(directory) as descriptor:
                document = read_manifest_file(descriptor)
                manifest = parse_manifest(document)
                contents = read_files(descriptor, manifest.files)
            tokenizer = _tokenizer(contents[TOKENIZER], manifest)
        except BundleError as error:
            raise BundleError(f"{directory}: {error}") from error
        digest = hashlib.sha256(document).hexdigest()
        return cls(manifest, tokenizer, MappingProxyType(contents), digest)

    def graph(self, name: str) -> bytes:
        """Return an ONNX graph, whose `initializers` are to be supplied from `tensors`.

        Args:
            name: ``encoder`` or ``step``.
        """
        return self.contents[self.manifest.variants["fp32"].graphs[name].file]

    def initializers(self, name: str) -> tuple[str, ...]:
        """Return the names of the tensors that a graph refers to.

        Args:
            name: ``encoder`` or ``step``.
        """
        return self.manifest.variants["fp32"].graphs[name].weights

    def tensors(self) -> dict[str, Floats]:
        """Return every weight as float32, by the name of the external initializer.

        What is stored as int8 is made float32 anew by every call: call it once.

        Raises:
            BundleError: The weights file is not what the manifest says.
        """
        return unpack_weights(self.contents[WEIGHTS], self.manifest.weights, file=WEIGHTS)

    @property
    def card(self) -> str:
        """The model card, Markdown."""
        return self.contents[CARD].decode("utf-8", "replace")

    @property
    def licence(self) -> str:
        """The text of the licence."""
        return self.contents[LICENCE].decode("utf-8", "replace")


def _tokenizer(content: bytes, manifest: Manifest) -> Tokenizer:
    """Parse the tokenizer, which must be the one that the graphs were made for."""
    try:
        tokenizer = Tokenizer(content)
    except TokenizerError as error:
        raise BundleError(f"{TOKENIZER}: {error}") from error
    if tokenizer.vocabulary_size != manifest.tokens.vocabulary_size:
        raise BundleError(
            f"{TOKENIZER}: has {tokenizer.vocabulary_size} pieces, "
            f"but the graphs have {manifest.tokens.vocabulary_size}; export again"
        )
    return tokenizer
