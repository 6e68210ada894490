"""Parallel corpora: TSV, two files side by side, or JSONL, as a stream of sentence pairs.

Every format has one pair a line, so the number of a pair is that of its line.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

from ferryman_training.corpus_config import CorpusPart
from ferryman_training.errors import CorpusError
from ferryman_training.lines import lines


@dataclass(frozen=True, slots=True)
class SentencePair:
    """One text and what is to become of it: a sentence in both languages."""

    source: str
    target: str

    @property
    def has_blank_side(self) -> bool:
        """True where a side is empty or only space."""
        return not self.source.strip() or not self.target.strip()


def stream_pairs(part: CorpusPart) -> Iterator[SentencePair]:
    """Yield the pairs of a part of a corpus in their order, blank sides included.

    Raises:
        CorpusError: A file is missing, damaged or not UTF-8, a line is no pair, or two files side
            by side differ in length; file and line are named.
    """
    if part.path is None:
        assert part.source is not None
        assert part.target is not None
        yield from _side_by_side(part.source, part.target)
    elif part.is_jsonl:
        for number, line in enumerate(lines(part.path), start=1):
            yield _from_json(line, part, f"{part.path}:{number}")
    else:
        for number, line in enumerate(lines(part.path), start=1):
            fields = line.split("\t")
            if len(fields) != 2:
                raise CorpusError(
                    f"{part.path}:{number}: must be source TAB target, but is {line[:80]!r}"
                )
            yield SentencePair(*fields)


def read_pairs(corpus: Path | CorpusPart) -> list[SentencePair]:
    """Read a whole corpus, or a part of one, into memory.

    Raises:
        CorpusError: As of `stream_pairs`; or a side is blank, or there is no pair.
    """
    part = CorpusPart(path=corpus) if isinstance(corpus, Path) else corpus
    pairs = []
    for number, pair in enumerate(stream_pairs(part), start=1):
        if pair.has_blank_side:
            raise blank_side(pair, part.where(number))
        pairs.append(pair)
    if not pairs:
        raise CorpusError(f"{part}: is empty; it must have one sentence pair a line")
    return pairs


def blank_side(pair: SentencePair, where: str) -> CorpusError:
    """Return the error that refuses a pair with a blank side."""
    side = "target" if pair.source.strip() else "source"
    return CorpusError(
        f"{where}: the {side} is blank; give it text, or set corpus.filters.blank = true to leave "
        "such pairs out"
    )


def digest(corpus: Sequence[CorpusPart]) -> str:
    """Return a SHA-256 in hexadecimal that tells a corpus from another.

    It covers the files as they lie on the disk, their order, weights and fields, but not their
    paths: a corpus that is moved stays the same. That of one file of weight 1 is the file's own.

    Raises:
        CorpusError: A file cannot be read.
    """
    described = [_described(part) for part in corpus]
    if len(described) == 1 and described[0].keys() == {"files"} and corpus[0].path is not None:
        [content] = described[0]["files"]
        return str(content)
    text = json.dumps(described, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _described(part: CorpusPart) -> dict[str, Any]:
    """Return what makes a part what it is: the digests of its files, and settings not default."""
    described: dict[str, Any] = {"files": [_file_digest(path) for path in part.files]}
    if part.weight != 1.0:
        described["weight"] = part.weight
    if part.is_jsonl:
        described["fields"] = [part.source_field, part.target_field]
    return described


def _file_digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise CorpusError(f"{path}: cannot be read ({error.strerror})") from error


def _side_by_side(source: Path, target: Path) -> Iterator[SentencePair]:
    """Pair the lines of two files up."""
    both = zip_longest(lines(source), lines(target))
    for number, (source_line, target_line) in enumerate(both, start=1):
        if source_line is None or target_line is None:
            short, long = (source, target) if source_line is None else (target, source)
            raise CorpusError(
                f"{short}: ends after line {number - 1}, but {long} goes on; the two must have the "
                "same number of lines"
            )
        yield SentencePair(source_line, target_line)


def _from_json(line: str, part: CorpusPart, where: str) -> SentencePair:
    try:
        document = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise CorpusError(f"{where}: is no JSON object ({error})") from error
    return SentencePair(
        _text_at(document, part.source_field, where), _text_at(document, part.target_field, where)
    )


def _text_at(document: Any, field: str, where: str) -> str:
    """Return the text of a field; dots lead into objects, as in ``translation.en``."""
    value = document
    for name in field.split("."):
        if not isinstance(value, dict) or name not in value:
            raise CorpusError(f'{where}: has no field "{field}"')
        value = value[name]
    if not isinstance(value, str):
        raise CorpusError(f'{where}: the field "{field}" must be text, but is {value!r:.80}')
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise CorpusError(f'{where}: the field "{field}" is not Unicode ({error})') from error
    return value
