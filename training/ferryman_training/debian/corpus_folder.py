"""The folder of a corpus: three parts, where every pair is from, and under which licences."""

from __future__ import annotations

import lzma
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ferryman_training.debian.held_out import FoundPair, Parts
from ferryman_training.debian.mirror import Package
from ferryman_training.errors import CorpusError

_PARTIAL: Final = ".corpus.partial"
_TRAIN: Final = "train.tsv.xz"


@dataclass(frozen=True, slots=True)
class Origin:
    """A source of the corpus, as its list says it."""

    name: str
    licence: str
    packages: tuple[Package, ...]


def refuse_another_corpus(folder: Path) -> None:
    """Raise CorpusError where a folder holds a corpus already, or is none."""
    if (folder / _TRAIN).exists():
        raise CorpusError(f"{folder}: holds a corpus already; choose another folder")
    if folder.exists() and not folder.is_dir():
        raise CorpusError(f"{folder}: is a file; name a folder for the corpus")


def write_corpus(
    folder: Path,
    parts: Parts,
    *,
    language: str,
    origins: Sequence[Origin],
    copyrights: Mapping[str, str],
) -> None:
    """Write a corpus; the training part, by which it is known, comes last.

    Args:
        folder: Made if need be.
        parts: The pairs.
        language: Of the target.
        origins: Where they are from.
        copyrights: What each package says about its licences.

    Raises:
        CorpusError: It could not be written.
    """
    partial = folder / _PARTIAL
    try:
        shutil.rmtree(partial, ignore_errors=True)
        (partial / "licences").mkdir(parents=True)
        for name, pairs in (("test", parts.test), ("valid", parts.valid)):
            (partial / f"{name}.tsv").write_text(_rows(pairs), "utf-8")
            (partial / f"{name}.sources").write_text(_origins(pairs), "utf-8")
        for package, text in copyrights.items():
            (partial / "licences" / f"{package}.txt").write_text(text, "utf-8")
        (partial / "SOURCES.md").write_text(_list(parts, language, origins), "utf-8")
        with lzma.open(partial / "train.sources.xz", "wt", encoding="utf-8") as file:
            file.write(_origins(parts.train))
        with lzma.open(partial / _TRAIN, "wt", encoding="utf-8") as file:
            file.write(_rows(parts.train))
        shutil.rmtree(folder / "licences", ignore_errors=True)
        for path in sorted(partial.iterdir(), key=lambda path: path.name == _TRAIN):
            path.replace(folder / path.name)
        partial.rmdir()
    except OSError as error:
        raise CorpusError(f"{folder}: could not be written ({error})") from error


def _rows(pairs: Iterable[FoundPair]) -> str:
    return "".join(f"{item.pair.source}\t{item.pair.target}\n" for item in pairs)


def _origins(pairs: Iterable[FoundPair]) -> str:
    return "".join(f"{item.source}\t{item.document}\n" for item in pairs)


def _list(parts: Parts, language: str, origins: Sequence[Origin]) -> str:
    """Return the list of sources, as Markdown."""
    everything = [*parts.train, *parts.valid, *parts.test]
    lines = [
        f"# A corpus of English and {language}",
        "",
        f"{len(parts.train):,} training pairs, {len(parts.valid):,} validation pairs and "
        f"{len(parts.test):,} test pairs, made by `ferryman corpus debian --target {language}` "
        "from the packages below. No source and no target, case, digits and punctuation aside, is "
        "shared between the parts. `*.sources` say of every line which source and document it is "
        "from.",
        "",
        "Whoever passes the text on, or a model that was trained on it, keeps to the licences of "
        "the sources; `licences/` has what each package says about its own.",
        "",
        "| source | pairs | English words | licence | packages |",
        "|---|---:|---:|---|---|",
    ]
    for origin in origins:
        found = [item for item in everything if item.source == origin.name]
        words = sum(len(item.pair.source.split()) for item in found)
        packages = ", ".join(f"{p.name} {p.version}" for p in origin.packages)
        lines.append(
            f"| {origin.name} | {len(found):,} | {words:,} | {origin.licence} | {packages} |"
        )
    return "\n".join([*lines, ""])
