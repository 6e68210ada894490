"""The models that the server has, and which of them a request is for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ferryman_bundle.manifest import LanguagePair
from ferryman_server.errors import (
    ModelExistsError,
    ModelInUseError,
    ModelNotFoundError,
    UnsupportedLanguagePairError,
)
from ferryman_server.model import Model


@dataclass(frozen=True, slots=True)
class Route:
    """The model for a request, and the languages it goes from and to."""

    model: Model
    languages: LanguagePair
    before: Route | None = None
    """How a text gets into the language that this one reads, where it takes another model."""

    @property
    def legs(self) -> tuple[Route, ...]:
        """The ways from language to language, in order."""
        return (self,) if self.before is None else (self.before, self)

    @property
    def codes(self) -> tuple[str, ...]:
        """The languages that a text goes through, its own first."""
        first, *_ = legs = self.legs
        return (first.languages.source, *(leg.languages.target for leg in legs))

    @property
    def pair(self) -> LanguagePair:
        """The languages of the text and of its translation."""
        return LanguagePair(source=self.codes[0], target=self.codes[-1])

    @property
    def full_name(self) -> str:
        """Its models exactly, in order."""
        return ", ".join(leg.model.full_name for leg in self.legs)

    @property
    def digest(self) -> str:
        """The digests of its models, in order."""
        return ", ".join(leg.model.digest for leg in self.legs)


class Catalogue:
    """The models of a server; one version of each name is the one that the name stands for.

    Belongs to the event loop, in which every change is between two calls.

    Args:
        models: At least one. The first is the default model, and the first of each name the one
            that the name stands for.
    """

    def __init__(self, models: Sequence[Model]) -> None:
        if not models:
            raise ValueError("a catalogue needs at least one model")
        self._models: dict[str, Model] = {}
        self._current: dict[str, Model] = {}
        self._default = models[0]
        for model in models:
            self.add(model)

    @property
    def models(self) -> tuple[Model, ...]:
        """All of them, the default model first, the others by name and version."""

        def rank(model: Model) -> tuple[bool, str, str]:
            return (model is not self._default, model.manifest.name, model.manifest.version)

        return tuple(sorted(self._models.values(), key=rank))

    @property
    def default(self) -> Model:
        """The model of requests that name neither a model nor a language."""
        return self._default

    def is_current(self, model: Model) -> bool:
        """Tell whether the name of a model stands for this version of it."""
        return self._current.get(model.manifest.name) is model

    def named(self, name: str) -> Model:
        """Return the model of a name, ``name`` or ``name@version``.

        Raises:
            ModelNotFoundError: There is none.
        """
        model = self._models.get(name) or self._current.get(name)
        if model is None:
            raise ModelNotFoundError(name, available=[model.full_name for model in self.models])
        return model

    def add(self, model: Model) -> None:
        """Add a model. Its name stands for it if it has no other version.

        Raises:
            ModelExistsError: It is there.
        """
        if model.full_name in self._models:
            raise ModelExistsError(model.full_name)
        self._models[model.full_name] = model
        self._current.setdefault(model.manifest.name, model)

    def set_current(self, name: str, *, server_default: bool = False) -> Model | None:
        """Let a name stand for one version; return the one that it stood for.

        Args:
            name: Of the model, ``name@version``.
            server_default: Whether it becomes the default model even if no other version of its
                name was that.

        Raises:
            ModelNotFoundError: There is none.
        """
        model = self.named(name)
        previous = self._current.get(model.manifest.name)
        self._current[model.manifest.name] = model
        if server_default or self._default is previous:
            self._default = model
        return previous

    def remove(self, name: str) -> Model:
        """Take a model out, and return it.

        Raises:
            ModelNotFoundError: There is none.
            ModelInUseError: Calls that name no version would have no model.
        """
        model = self.named(name)
        versions = [other for other in self.models if other.manifest.name == model.manifest.name]
        if model is self._default:
            raise ModelInUseError(model.full_name, "it is the default model of the server")
        if self.is_current(model) and len(versions) > 1:
            raise ModelInUseError(model.full_name, "its name stands for it")
        del self._models[model.full_name]
        if self.is_current(model):
            del self._current[model.manifest.name]
        return model

    def route(self, name: str | None, source: str | None, target: str | None) -> Route:
        """Return the model, and the one pair of its languages, that a request is for.

        Where no model translates between two languages that the request names, two may do so over
        a third language.

        Args:
            name: The model asked for, or None.
            source: BCP-47 code, or None where the request leaves it open.
            target: The same.

        Raises:
            ModelNotFoundError: There is no such model.
            UnsupportedLanguagePairError: No candidate has the languages, or the request leaves it
                open which of several it means.
        """
        candidates = tuple(filter(self.is_current, self.models))
        if name is not None:
            candidates = (self.named(name),)
        elif source is None and target is None:
            candidates = (self.default,)
        available = [
            _written(pair) for model in candidates for pair in model.manifest.language_pairs
        ]
        for model in candidates:
            matches = _pairs(model, source, target)
            if len(matches) > 1:
                raise UnsupportedLanguagePairError(
                    "the languages are left open, and there is more than one choice: "
                    f"{', '.join(map(_written, matches))}; set both language codes",
                    available=available,
                )
            if matches:
                return Route(model, matches[0])
        if name is None and (detour := _detour(candidates, source, target)) is not None:
            return detour
        raise UnsupportedLanguagePairError(
            f"no translation from {source or 'any language'} to {target or 'any language'}; "
            f"there is {', '.join(available)}",
            available=available,
        )

    def routes(self) -> list[Route]:
        """Return every pair that can be translated by its best route, sorted by language."""
        current = tuple(filter(self.is_current, self.models))
        direct = [Route(model, pair) for model in current for pair in model.manifest.language_pairs]
        found = {(route.pair.source, route.pair.target): route for route in reversed(direct)}
        sources = {source for source, _ in found}
        targets = {target for _, target in found}
        for source in sources:
            for target in targets - {source}:
                if (source, target) not in found:
                    detour = _detour(current, source, target)
                    if detour is not None:
                        found[source, target] = detour
        return [found[pair] for pair in sorted(found)]


def _detour(models: Sequence[Model], source: str | None, target: str | None) -> Route | None:
    """Return the first way over a third language; None where there is none."""
    if source is None or target is None:
        return None
    for first in models:
        for into in _pairs(first, source, None):
            for second in models:
                for onward in _pairs(second, into.target, target):
                    if onward.target.lower() != into.source.lower():
                        return Route(second, onward, before=Route(first, into))
    return None


def _pairs(model: Model, source: str | None, target: str | None) -> list[LanguagePair]:
    """Return the pairs of a model that a request may mean."""
    return [
        pair
        for pair in model.manifest.language_pairs
        if _matches(source, pair.source) and _matches(target, pair.target)
    ]


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
