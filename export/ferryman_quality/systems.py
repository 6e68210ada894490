"""Systems: whatever translates and can be measured, found without knowing any of it.

A package offers a kind of system in the entry-point group ``ferryman.systems``, with the extras
that it needs in brackets::

    bundle = "ferryman_server.evaluation:BundleSystem [server]"

It names a function from a path or name to a `System`. So verbs work on all kinds, import none of
them before it is wanted, and can say which extra is missing.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from importlib import metadata
from pathlib import Path
from typing import Final

from ferryman_quality.attention import AttentionMap
from ferryman_quality.errors import MissingExtraError, NoSystemError
from ferryman_quality.settings import Settings

GROUP: Final = "ferryman.systems"


class Kind(StrEnum):
    """What a system is; the names of the entry points."""

    BUNDLE = "bundle"
    CHECKPOINT = "checkpoint"


_MARKERS: Final[Mapping[str, Kind]] = {
    "manifest.json": Kind.BUNDLE,
    "config.toml": Kind.CHECKPOINT,
}
"""A file that only a directory of the one kind has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """Translations of a test set, and what they took."""

    translations: Sequence[str]
    search: str
    """How they were searched for, for people."""
    seconds: float
    """Wall time, tokenising included and loading not."""
    figures: Mapping[str, float] = field(default_factory=dict)
    """What the system counted, by name."""
    remarks: Mapping[str, str] = field(default_factory=dict)
    """The same for people: a word, and what there is to say of it."""


class System(ABC):
    """A model that is ready to translate."""

    @abstractmethod
    def translate(
        self, sources: Sequence[str], settings: Settings, on_line: Callable[[], None]
    ) -> Output:
        """Translate lines, each as one sentence.

        Args:
            sources: What to translate.
            settings: How.
            on_line: To be called after each line.
        """

    @abstractmethod
    def attend(self, source: str, target: str | None, settings: Settings) -> AttentionMap:
        """Tell what each piece of a translation looked at.

        Args:
            source: A sentence.
            target: Its translation; None to translate it first.
            settings: How to translate it.

        Raises:
            NoAttentionError: The model has none.
            SettingError: One of the texts is too long.
        """


def kind_of(name: str) -> Kind:
    """Tell what a path or name stands for.

    What is no path is taken for the name of an installed model, which is a bundle.

    Raises:
        NoSystemError: There is something at the path, but neither a bundle nor a checkpoint.
    """
    path = Path(name)
    for marker, kind in _MARKERS.items():
        if (path / marker).is_file():
            return kind
    if path.is_dir():
        raise NoSystemError(
            f"{name}: is neither a bundle (it has no manifest.json) "
            "nor a checkpoint or a run (it has no config.toml)"
        )
    return Kind.BUNDLE


def open_system(name: str) -> System:
    """Load the bundle or checkpoint of a path, or the installed model of a name.

    Raises:
        NoSystemError: It is neither.
        MissingExtraError: What is needed for it is not installed.
    """
    kind = kind_of(name)
    found = [point for point in metadata.entry_points(group=GROUP) if point.name == kind]
    if not found:
        raise NoSystemError(f"{name}: nothing in this installation translates with a {kind}")
    try:
        opened: System = found[0].load()(name)
    except ModuleNotFoundError as fault:
        raise MissingExtraError(f"a {kind}", found[0].extras, fault) from fault
    return opened
