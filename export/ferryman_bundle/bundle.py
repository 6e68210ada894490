"""A bundle: a translation model as one verified, immutable value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ferryman_bundle.errors import BundleError
from ferryman_bundle.files import SizeLimits
from ferryman_bundle.lexical_shortlist import LexicalShortlist
from ferryman_bundle.manifest import CARD, LICENCE, TOKENIZER, WEIGHTS, Manifest
from ferryman_bundle.quantization import Floats
from ferryman_bundle.sealed import SealedBundle
from ferryman_bundle.tokenizer import Tokenizer, TokenizerError
from ferryman_bundle.variant import GraphEntry, Initializer
from ferryman_bundle.weights import Array, Weights


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

    weights: Weights = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Make the weights, of which nothing is read yet."""
        weights = Weights(self.contents[WEIGHTS], self.manifest.weights, file=WEIGHTS)
        object.__setattr__(self, "weights", weights)

    @classmethod
    def load(cls, path: Path, limits: SizeLimits | None = None) -> Bundle:
        """Read a bundle into memory; what is at the path is not touched again.

        No parser sees a byte of a file before its size and its SHA-256 have been checked.

        Args:
            path: Of its directory, or of its packed form.
            limits: How much is read at most.

        Raises:
            BundleError: In one line, naming the file at fault.
        """
        sealed = SealedBundle.read(path, limits)
        try:
            return cls.open(sealed)
        except BundleError as error:
            raise BundleError(f"{path}: {error}") from error

    @classmethod
    def open(cls, sealed: SealedBundle) -> Bundle:
        """Make a bundle of files that have been checked.

        Raises:
            BundleError: The tokenizer is none, or not the one that the graphs were made for.
        """
        manifest = sealed.manifest
        tokenizer = _tokenizer(sealed.contents[TOKENIZER], manifest)
        return cls(manifest, tokenizer, sealed.contents, sealed.digest)

    def graph(self, name: str, variant: str = "fp32") -> bytes:
        """Return an ONNX graph, whose initializers are to be supplied from `initializer_values`.

        Args:
            name: ``encoder``, ``step``, or another that the variant has.
            variant: One of the manifest's.
        """
        return self.contents[self._entry(name, variant).file]

    def initializers(self, name: str, variant: str = "fp32") -> tuple[str, ...]:
        """Return the names of a graph's external initializers.

        Args:
            name: ``encoder``, ``step``, or another that the variant has.
            variant: One of the manifest's.
        """
        return tuple(self._entry(name, variant).initializers)

    def initializer_values(self, name: str, variant: str = "fp32") -> dict[str, Array]:
        """Return the values of a graph's external initializers, by their names in the graph.

        The same part of the same tensor is the same array, in whichever graph and variant; arrays
        are made when they are first asked for, and cannot be written to.

        Args:
            name: ``encoder``, ``step``, or another that the variant has.
            variant: One of the manifest's.

        Raises:
            BundleError: The weights file is not what the manifest says.
        """
        initializers = self._entry(name, variant).initializers
        return {own: self.weights.values(wanted) for own, wanted in initializers.items()}

    def columns(self, name: str, variant: str = "fp32") -> dict[str, Array]:
        """Return what a graph is to be given columns of, by the name of its input.

        Args:
            name: Of the graph.
            variant: One of the manifest's.

        Returns:
            Arrays whose first axis is the token; shared, and not to be written to. Empty for a
            graph that holds its whole output matrix.

        Raises:
            BundleError: The weights file is not what the manifest says.
        """
        columns = self._entry(name, variant).columns
        return {port: self.weights.values(wanted) for port, wanted in columns.items()}

    def shortlist(self) -> LexicalShortlist | None:
        """Return which target tokens a source may need, as far as the bundle says.

        Raises:
            BundleError: The file is no shortlist of this vocabulary.
        """
        section = self.manifest.shortlist
        if section is None:
            return None
        return LexicalShortlist.unpack(
            self.contents[section.file],
            vocabulary_size=self.manifest.tokens.vocabulary_size,
            file=section.file,
        )

    def tensors(self) -> dict[str, Floats]:
        """Return every stored tensor as float32, by its name in the weights file.

        Raises:
            BundleError: The weights file is not what the manifest says.
        """
        return {
            name: self.weights.values(Initializer(tensor=name)) for name in self.manifest.weights
        }

    def _entry(self, name: str, variant: str) -> GraphEntry:
        return self.manifest.variants[variant].graphs[name]

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
