"""Which sentence pairs a run learns from, in which pieces, and how many at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BeforeValidator,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from ferryman_training.config_section import Fraction, Positive, Section

_MAX_TOKENS = 65_534
"""Lengths are kept in 16 bits, with the end of the sentence."""


class CorpusPart(Section):
    """Some of the pairs: one file of pairs, or two files side by side."""

    path: Path | None = None
    """TSV or, with ``.jsonl`` in its name, JSONL; plain or ``.gz``, ``.xz``, ``.zst``."""
    source: Path | None = None
    """The source sides, one a line, instead of `path`."""
    target: Path | None = None
    """The target sides, line by line the same sentences as in `source`."""
    source_field: str = "source"
    """Where JSONL has the source side; a dot leads into an object, as in ``translation.en``."""
    target_field: str = "target"
    """Where JSONL has the target side."""
    weight: Annotated[float, Field(gt=0, le=1000)] = 1.0
    """How often an epoch has each of the pairs; 0.5 is half of them, drawn anew each epoch."""

    @model_validator(mode="after")
    def _one_file_or_two(self) -> Self:
        sides = [self.source is not None, self.target is not None]
        if (self.path is None) != all(sides) or (self.path is not None and any(sides)):
            raise ValueError("must have path, or both source and target")
        return self

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that the pairs are in."""
        return tuple(p for p in (self.path, self.source, self.target) if p is not None)

    @property
    def is_jsonl(self) -> bool:
        """True where each line is a JSON object."""
        return self.path is not None and ".jsonl" in self.path.suffixes[-2:]

    def where(self, number: int) -> str:
        """Return where the pair of that number is, counted from 1."""
        return f"{self.files[0]}:{number}"

    def moved(self, place: Callable[[Path], Path]) -> CorpusPart:
        """Return the same part with its files at other paths."""
        names = ("path", "source", "target")
        found = {name: getattr(self, name) for name in names}
        return self.model_copy(update={n: place(p) for n, p in found.items() if p is not None})

    def __str__(self) -> str:
        return " + ".join(map(str, self.files))

    @model_serializer(mode="wrap")
    def _short(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any] | str:
        """Leave out what is not set; a path alone is enough for a file of weight 1."""
        full: dict[str, Any] = handler(self)
        defaults = {name: field.default for name, field in type(self).model_fields.items()}
        set_ = {name: value for name, value in full.items() if value != defaults[name]}
        return str(set_["path"]) if set_.keys() == {"path"} else set_


def _part_of_path(value: object) -> object:
    """Let a bare path stand for the part that it names."""
    return {"path": value} if isinstance(value, str | Path) else value


def _parts_of_value(value: object) -> object:
    """Let one part, or the path of one, stand for a corpus of one."""
    if isinstance(value, str | Path | Mapping | CorpusPart):
        return [_part_of_path(value)]
    return [_part_of_path(part) for part in value] if isinstance(value, list | tuple) else value


class FilterConfig(Section):
    """Which training pairs are left out, and counted; nothing is by default."""

    blank: bool = False
    """Pairs with a blank side; otherwise such a pair stops the run, with its line."""
    min_words: Annotated[int, Field(ge=0)] = 0
    """Pairs with fewer words on a side; words are what spaces separate."""
    max_words: Annotated[int, Field(ge=0)] = 0
    """Pairs with more words on a side; 0 for any number."""
    max_ratio: Annotated[float, Field(ge=0)] = 0.0
    """Pairs with a side so many times as long as the other, in characters; 0 for any ratio."""
    identical: bool = False
    """Pairs whose sides are the same but for spaces."""
    numbers: bool = False
    """Pairs whose sides do not hold the same numbers in digits."""
    duplicates: Literal["keep", "pairs", "sources", "targets"] = "keep"
    """What must not come twice: the whole pair, or its source, or its target."""


class CorpusConfig(Section):
    """Where the sentence pairs are, and which of them are used."""

    train: Annotated[tuple[CorpusPart, ...], BeforeValidator(_parts_of_value), Field(min_length=1)]
    """Training pairs; a relative path is relative to the config file."""
    valid: Annotated[CorpusPart, BeforeValidator(_part_of_path)]
    """Validation pairs, never trained on."""
    source_language: str = "en"
    """BCP-47 code of the source side."""
    target_language: str = "fr"
    """BCP-47 code of the target side."""
    max_tokens: Annotated[int, Field(gt=0, le=_MAX_TOKENS)] = 128
    """Pairs with a longer side, in tokens, are left out and counted."""
    placeholder_share: Fraction = 0.15
    """Share of the pairs in which, each epoch anew, shared spans become reserved pieces."""
    filters: FilterConfig = FilterConfig()
    cache: str = ""
    """Folder of the corpus in tokens, which several runs may share; empty for one in OUT."""

    def moved(self, folder: Path) -> CorpusConfig:
        """Return the same with relative paths made absolute, as seen from a folder."""

        def place(path: Path) -> Path:
            return (folder / path).resolve()

        return self.model_copy(
            update={
                "train": tuple(part.moved(place) for part in self.train),
                "valid": self.valid.moved(place),
                "cache": self.cache and str(place(Path(self.cache))),
            }
        )


class VocabularyConfig(Section):
    """The joint SentencePiece vocabulary."""

    kind: Literal["unigram", "bpe"] = "unigram"
    size: Annotated[int, Field(ge=325)] = 8192
    """Pieces in all; 256 bytes, 64 reserved and 4 special ones are among them."""
    character_coverage: Annotated[float, Field(gt=0.9, le=1.0)] = 0.9998
    """Share of the corpus' characters that get a piece; the rest is spelt in bytes."""
    sample_sentences: Positive = 400_000
    """SentencePiece is trained on at most so many sentences, drawn at random."""
    sampling: Fraction = 0.0
    """Cut training text into pieces anew each epoch: of ``unigram`` the exponent alpha of the
    segmentations' probabilities (0.1 to 0.5 are usual), of ``bpe`` the share of the merges that
    are skipped (0.1); 0 for always the likeliest pieces."""


class BatchConfig(Section):
    """How sentence pairs become updates."""

    tokens: Positive = 4096
    """Size of one micro-batch: sentences times the longest side, padding included."""
    micro_batches: Positive = 2
    """Micro-batches per update, shared out over the processes and accumulated."""
