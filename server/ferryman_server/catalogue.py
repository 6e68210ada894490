"""The models that the server has, and which of them a request is for."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol

from ferryman_bundle.manifest import LanguagePair, Manifest
from ferryman_server.engine import Job, Result
from ferryman_server.errors import ModelNotFoundError, UnsupportedLanguagePairError
from ferryman_server.runtime.scored import Scored


class Engine(Protocol):
    """What decodes: `ferryman_server.engine.Engine`, or its twin in the tests."""

    def submit(self, jobs: Sequence[Job]) -> Sequence[Future[Result]]:
        """Take all jobs, or raise and take none."""


class Tokenizer(Protocol):
    """What turns text into token ids and back: the tokenizer of a bundle."""

    def encode(self, text: str, *, reserved: bool = False) -> list[int]:
        """Return the token ids of a text, without start and end.

        Args:
            text: Any text.
            reserved: Whether the reserved characters in it were put there by us.
        """
        ...

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of token ids."""
        ...

    def __hash__(self) -> int:
        """Be the key of what is known of a tokenizer."""
        ...

    def encode_with_spans(
        self, text: str, *, reserved: bool = False
    ) -> list[tuple[int, tuple[int, int]]]:
        """Return the tokens of a text with their places in it, as offsets of code points."""
        ...

    def decode_with_spans(self, ids: Sequence[int]) -> list[tuple[int, int]]:
        """Return where each token is in what `decode` makes of them all."""

    def piece(self, token: int) -> str:
        """Return a token as it is in the vocabulary."""


class Scorer(Protocol):
    """What looks at given translations: `ferryman_server.runtime.scorer.Scorer`."""

    def score(
        self, sources: Sequence[Sequence[int]], targets: Sequence[Sequence[int]]
    ) -> Sequence[Scored]:
        """Score the translation of each source; neither has its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A loaded bundle and the engine that runs it."""

    manifest: Manifest
    digest: str
    """SHA-256 of the manifest file, in hexadecimal."""
    tokenizer: Tokenizer
    engine: Engine
    scorer: Scorer | None = None
    """None where the bundle has no graph for it."""
    has_attention: bool = False
    """Whether what the scorer says has attention."""
    variant: str = "fp32"
    """Of the bundle, which is running."""

    @property
    def full_name(self) -> str:
        """The model exactly, as ``name@version``."""
        return f"{self.manifest.name}@{self.manifest.version}"

    @property
    def health_name(self) -> str:
        """What `grpc.health.v1` knows the model by."""
        return f"model/{self.manifest.name}"


@dataclass(frozen=True, slots=True)
class Route:
    """The model for a request, and the languages it goes from and to."""

    model: Model
    languages: LanguagePair


class Catalogue:
    """The models of a server, the default one first.

    Args:
        models: At least one.
    """

    def __init__(self, models: Sequence[Model]) -> None:
        if not models:
            raise ValueError("a catalogue needs at least one model")
        self.models = tuple(models)

    @property
    def default(self) -> Model:
        """The model of requests that name neither a model nor a language."""
        return self.models[0]

    def named(self, name: str) -> Model:
        """Return the model of a name, ``name`` or ``name@version``.

        Raises:
            ModelNotFoundError: There is none.
        """
        for model in self.models:
            if name in (model.manifest.name, model.full_name):
                return model
        raise ModelNotFoundError(name, available=[model.full_name for model in self.models])

    def route(self, name: str | None, source: str | None, target: str | None) -> Route:
        """Return the model, and the one pair of its languages, that a request is for.

        Args:
            name: The model asked for, or None.
            source: BCP-47 code, or None where the request leaves it open.
            target: The same.

        Raises:
            ModelNotFoundError: There is no such model.
            UnsupportedLanguagePairError: No candidate has the languages, or the request leaves it
                open which of several it means.
        """
        candidates = self.models if name is None else (self.named(name),)
        if name is None and source is None and target is None:
            candidates = (self.default,)
        available = [
            _written(pair) for model in candidates for pair in model.manifest.language_pairs
        ]
        for model in candidates:
            matches = [
                pair
                for pair in model.manifest.language_pairs
                if _matches(source, pair.source) and _matches(target, pair.target)
            ]
            if len(matches) > 1:
                raise UnsupportedLanguagePairError(
                    "the languages are left open, and there is more than one choice: "
                    f"{', '.join(map(_written, matches))}; set both language codes",
                    available=available,
                )
            if matches:
                return Route(model, matches[0])
        raise UnsupportedLanguagePairError(
            f"no translation from {source or 'any language'} to {target or 'any language'}; "
            f"there is {', '.join(available)}",
            available=available,
        )


def _matches(asked: str | None, offered: str) -> bool:
    """Whether a language asked for is the one offered.

    A region may be asked for where the model names none, as in the lookup of RFC 4647: ``en-GB`` is
    served by ``en``. A script may not: ``zh-Hant`` is no ``zh``.
    """
    if asked is None:
        return True
    asked, offered = asked.lower(), offered.lower()
    language, _, region = asked.rpartition("-")
    is_region = len(region) == 2 or (len(region) == 3 and region.isdigit())
    return asked == offered or (is_region and language == offered)


def _written(pair: LanguagePair) -> str:
    return f"{pair.source}-{pair.target}"
