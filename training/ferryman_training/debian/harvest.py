"""Harvesting: from packages and indexes to clean pairs, none of which comes twice."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ferryman_training.corpus import SentencePair
from ferryman_training.debian.alignment import pairs_of
from ferryman_training.debian.archive import files_of
from ferryman_training.debian.cleaning import cleaned, fit, key
from ferryman_training.debian.descriptions import described, description_blocks
from ferryman_training.debian.held_out import FoundPair
from ferryman_training.debian.sources import DESCRIPTIONS, Source
from ferryman_training.duplicates import text_hash

_COPYRIGHT = re.compile(r"usr/share/doc/[^/]+/copyright")


@dataclass(slots=True)
class Harvest:
    """What was found so far.

    Args:
        language: ISO 639-1 code of the target.
    """

    language: str
    found: list[FoundPair] = field(default_factory=list)
    copyrights: dict[str, str] = field(default_factory=dict)
    """What the packages say about their licences, by package."""
    _sources: set[int] = field(default_factory=set)
    """Hashes of the sources found, without case, digits and punctuation."""

    def add_packages(self, source: Source, packages: Iterable[tuple[str, Path]]) -> int:
        """Take the pairs of a source in, and return how many.

        Args:
            source: What to look for.
            packages: Name and file of each package.

        Raises:
            PackageError: A package is damaged.
        """
        english, translated = source.patterns(self.language)
        originals: dict[str, bytes] = {}
        translations: dict[str, bytes] = {}
        for name, path in packages:
            for file, content in files_of(path, _any_of(english, translated, _COPYRIGHT)):
                if _COPYRIGHT.fullmatch(file):
                    self.copyrights[name] = content.decode("utf-8", "replace")
                elif english is not None and (match := english.fullmatch(file)):
                    originals[match["document"]] = content
                elif match := translated.fullmatch(file):
                    translations[match["document"]] = content
        before = len(self.found)
        for document in sorted(translations):
            if english is not None and document not in originals:
                continue
            pairs = source.read(originals.get(document, b""), translations[document], self.language)
            self._add(pairs, source.name, document, interface=source.interface)
        return len(self.found) - before

    def add_descriptions(self, english: str, translated: str) -> int:
        """Take the pairs of two indexes of descriptions in, and return how many."""
        before = len(self.found)
        others = described(translated, self.language)
        for digest, text in described(english, "en").items():
            if digest in others:
                one, other = (list(description_blocks(t)) for t in (text, others[digest]))
                pairs = pairs_of(one, other, self.language)
                self._add(pairs, DESCRIPTIONS, digest, interface=False)
        return len(self.found) - before

    def _add(
        self, pairs: Iterable[SentencePair], source: str, document: str, *, interface: bool
    ) -> None:
        for pair in _fit_pairs(pairs, self.language, interface=interface):
            digest = text_hash(key(pair.source))
            if digest not in self._sources:
                self._sources.add(digest)
                self.found.append(FoundPair(pair, source, document, interface))


def _fit_pairs(
    pairs: Iterable[SentencePair], language: str, *, interface: bool
) -> Iterator[SentencePair]:
    for pair in map(cleaned, pairs):
        if fit(pair, language, interface=interface):
            yield pair


def _any_of(*patterns: re.Pattern[str] | None) -> Callable[[str], bool]:
    chosen = [pattern for pattern in patterns if pattern is not None]
    return lambda path: any(pattern.fullmatch(path) for pattern in chosen)
