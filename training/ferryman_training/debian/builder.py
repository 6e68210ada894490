"""Building a corpus: which packages, what is in them, what of it is held out, and the files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ferryman_training.debian.corpus_folder import Origin, refuse_another_corpus, write_corpus
from ferryman_training.debian.harvest import Harvest
from ferryman_training.debian.held_out import FoundPair, Parts, hold_out
from ferryman_training.debian.mirror import Mirror, Package
from ferryman_training.debian.misalignment import misaligned
from ferryman_training.debian.sources import (
    DESCRIPTIONS,
    DESCRIPTIONS_LICENCE,
    SOURCES,
    Source,
)
from ferryman_training.errors import CorpusError


class Watch(Protocol):
    """What is told how far the work is."""

    def plan(self, size: int) -> None:
        """So many bytes are to be downloaded."""

    def downloading(self, name: str, *, here: int) -> None:
        """So many bytes of a file are here by now."""

    def say(self, text: str) -> None:
        """Something is done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What corpus is wanted."""

    language: str
    """ISO 639-1 code of the target; the source is English."""
    sources: tuple[str, ...]
    """Names of sources."""
    held_out: int = 2_000
    """Pairs to validate and to test with, each."""
    seed: int = 20261121
    """Decides which pairs are held out."""


def build_corpus(order: Order, mirror: Mirror, folder: Path, *, watch: Watch) -> Parts:
    """Make a corpus; what was downloaded before is used.

    Args:
        order: What is wanted.
        mirror: Where the packages are.
        folder: Where the corpus goes.
        watch: Told how far the work is.

    Raises:
        MirrorError: The mirror does not answer, or not with what its index promises.
        PackageError: A package is damaged.
        CorpusError: The folder holds a corpus, or cannot be written, or nothing was found.
    """
    refuse_another_corpus(folder)
    wanted = [source for source in SOURCES if source.name in order.sources]
    chosen = [(source, _packages(source, order.language, mirror, watch)) for source in wanted]
    unique = {package for _, packages in chosen for package in packages}
    watch.plan(sum(package.size for package in unique))
    harvest, origins = Harvest(order.language), []
    if DESCRIPTIONS in order.sources:
        origins.append(_add_descriptions(harvest, mirror, watch))
    for source, packages in chosen:
        paths = [(p.name, _fetch(p, mirror, watch)) for p in packages]
        count = harvest.add_packages(source, paths)
        watch.say(f"{source.name}: {count:,} pairs")
        origins.append(Origin(source.name, source.licence, packages))
    if not harvest.found:
        raise CorpusError("the packages hold no pair that is fit to learn from")
    found = _aligned(harvest.found, watch)
    size = min(order.held_out, len(found) // 20)
    parts = hold_out(found, size=size, seed=order.seed)
    write_corpus(
        folder,
        parts,
        language=order.language,
        origins=origins,
        copyrights=harvest.copyrights,
    )
    return parts


def _aligned(found: Sequence[FoundPair], watch: Watch) -> list[FoundPair]:
    """Return the pairs without those that are no translations of each other."""
    watch.say(f"comparing the words of {len(found):,} pairs ...")
    wrong = misaligned([item.pair for item in found])
    watch.say(f"left out as misaligned: {int(wrong.sum()):,} pairs")
    return [item for item, is_wrong in zip(found, wrong, strict=True) if not is_wrong]


def _packages(source: Source, language: str, mirror: Mirror, watch: Watch) -> tuple[Package, ...]:
    """Return the packages of a source that the suite has."""
    names = source.packages_for(language)
    missing = [name for name in names if name not in mirror.packages]
    if missing:
        watch.say(f"{source.name}: {mirror.suite} has no {', '.join(missing)}; left out")
    return tuple(mirror.packages[name] for name in names if name in mirror.packages)


def _fetch(package: Package, mirror: Mirror, watch: Watch) -> Path:
    return mirror.fetch(package, watch=lambda here: watch.downloading(package.name, here=here))


def _add_descriptions(harvest: Harvest, mirror: Mirror, watch: Watch) -> Origin:
    english, translated = (
        mirror.index(
            f"main/i18n/Translation-{language}",
            watch=lambda here: watch.downloading("package descriptions", here=here),
        )
        for language in ("en", harvest.language)
    )
    count = harvest.add_descriptions(english, translated)
    watch.say(f"{DESCRIPTIONS}: {count:,} pairs")
    return Origin(DESCRIPTIONS, DESCRIPTIONS_LICENCE, ())
