"""One corpus for two trainers: the same token ids, and the same batches.

Tokens are handed over as words, ``t17`` for id 17, so that no trainer's own idea of a token comes
between.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from ferryman_bundle.tokenizer import EOS
from ferryman_training.batching import MicroBatch, TokenPair, tokenize
from ferryman_training.corpus import read_pairs
from ferryman_training.corpus_config import VocabularyConfig
from ferryman_training.vocabulary import train_tokenizer

PLAN: Final = "plan.json"
"""Our batches, each a list of line numbers of ``train.source`` and ``train.target``."""
WORDS: Final = "vocabulary.txt"
_FIRST_WORD: Final = EOS + 1
"""Ids below are those of padding, unknown, start and end, in any system."""
_LONGEST: Final = 128


def write_corpus(
    corpus: Path, folder: Path, *, pairs: int, vocabulary: int, tokens: int, seed: int
) -> None:
    """Tokenise a corpus and plan an epoch of batches.

    Args:
        corpus: Source TAB target lines.
        folder: Where everything goes.
        pairs: How many, from the first.
        vocabulary: Pieces of the SentencePiece model that is trained on them.
        tokens: Size of a batch: sentences times the longest side, padding included.
        seed: Of the vocabulary and the order of the batches.
    """
    texts = read_pairs(corpus)[:pairs]
    sentences = (text for pair in texts for text in (pair.source, pair.target))
    tokenizer = train_tokenizer(sentences, VocabularyConfig(size=vocabulary), seed=seed)
    encoded = [tokenize(pair, tokenizer) for pair in texts]
    kept = [i for i, p in enumerate(encoded) if p.source and p.target and p.longest_side < _LONGEST]
    plan = _batches([encoded[i] for i in kept], tokens)
    random.Random(seed).shuffle(plan)
    (folder / PLAN).write_text(json.dumps(plan), "utf-8")
    for part, chosen in (("train", kept), ("valid", kept[:8])):
        _write(folder / f"{part}.source", (encoded[i].source for i in chosen))
        _write(folder / f"{part}.target", (encoded[i].target for i in chosen))
    words = (f"t{i}\n" for i in range(_FIRST_WORD, tokenizer.vocabulary_size))
    (folder / WORDS).write_text("".join(words), "utf-8")


def _batches(pairs: Sequence[TokenPair], tokens: int) -> list[list[int]]:
    """Return batches of like length, each as the rows of its pairs."""
    batches: list[list[int]] = []
    for row in sorted(range(len(pairs)), key=lambda i: pairs[i].longest_side):
        longest = pairs[row].longest_side + 1  # the start or the end
        if not batches or longest * (len(batches[-1]) + 1) > tokens:
            batches.append([])
        batches[-1].append(row)
    return batches


def _write(path: Path, rows: Iterable[Sequence[int]]) -> None:
    path.write_text("".join(f"{' '.join(f't{i}' for i in row)}\n" for row in rows), "utf-8")


def read_batches(folder: Path) -> list[MicroBatch]:
    """Return the batches of the plan."""
    sides = [
        [tuple(int(word[1:]) for word in line.split()) for line in _lines(folder / f"train.{side}")]
        for side in ("source", "target")
    ]
    pairs = [TokenPair(source, target) for source, target in zip(*sides, strict=True)]
    plan = json.loads((folder / PLAN).read_text("utf-8"))
    return [[pairs[row] for row in batch] for batch in plan]


def vocabulary_size(folder: Path) -> int:
    """Return how many ids there are."""
    return _FIRST_WORD + len(_lines(folder / WORDS))


def _lines(path: Path) -> list[str]:
    return path.read_text("utf-8").splitlines()
