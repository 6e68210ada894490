"""Which sentence pairs a run learns from, in which pieces, and how many at a time."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from ferryman_training.config_section import Fraction, Positive, Section


class CorpusConfig(Section):
    """Where the sentence pairs are: TSV, source TAB target, plain or .gz/.xz."""

    train: Path
    """Training pairs; a relative path is relative to the config file."""
    valid: Path
    """Validation pairs, never trained on."""
    source_language: str = "en"
    """BCP-47 code of the source side."""
    target_language: str = "fr"
    """BCP-47 code of the target side."""
    max_tokens: Positive = 128
    """Pairs with a longer side, in tokens, are left out and counted."""
    placeholder_share: Fraction = 0.15
    """Share of the pairs in which, each epoch anew, shared spans become reserved pieces."""


class VocabularyConfig(Section):
    """The joint SentencePiece vocabulary."""

    kind: Literal["unigram", "bpe"] = "unigram"
    size: Annotated[int, Field(ge=325)] = 8192
    """Pieces in all; 256 bytes, 64 reserved and 4 special ones are among them."""
    character_coverage: Annotated[float, Field(gt=0.9, le=1.0)] = 0.9998
    """Share of the corpus' characters that get a piece; the rest is spelt in bytes."""
    sample_sentences: Positive = 400_000
    """SentencePiece is trained on at most so many sentences, drawn at random."""


class BatchConfig(Section):
    """How sentence pairs become updates."""

    tokens: Positive = 4096
    """Size of one micro-batch: sentences times the longest side, padding included."""
    micro_batches: Positive = 2
    """Micro-batches per update, shared out over the processes and accumulated."""
