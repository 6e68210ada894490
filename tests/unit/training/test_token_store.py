"""The corpus in tokens is what the tokenizer makes of the text, less what is too long."""

from __future__ import annotations

import numpy as np
import pytest

from ferryman_training.batching import tokenize
from ferryman_training.cache import Cache
from ferryman_training.corpus_config import CorpusPart, FilterConfig, VocabularyConfig
from ferryman_training.errors import CorpusError
from ferryman_training.filters import Fault
from ferryman_training.text_store import TextStore
from ferryman_training.token_store import TokenStore
from ferryman_training.vocabulary import train_tokenizer

ROWS = [
    ("The file", "Le fichier"),
    ("The file is in the folder. " * 9, "Le fichier"),
    ("remove \ufffd 日本", "supprimez"),
    ("The file", "Le fichier"),
    ("folder", "dossier"),
]


@pytest.fixture
def texts(tmp_path) -> TextStore:
    parts = []
    for name, rows in (("a.tsv", ROWS[:2]), ("b.tsv", ROWS[2:])):
        path = tmp_path / name
        path.write_text("".join(f"{s}\t{t}\n" for s, t in rows), "utf-8")
        parts.append(CorpusPart(path=path))
    return TextStore.obtain(
        Cache(tmp_path / "cache"), parts, FilterConfig(duplicates="pairs"), digest="x"
    )


def obtain(tmp_path, texts, tokenizer, max_tokens=30) -> TokenStore:
    return TokenStore.obtain(Cache(tmp_path / "cache"), texts, tokenizer, max_tokens=max_tokens)


def test_pairs_are_the_tokens_of_their_rows(tmp_path, texts, tokenizer):
    tokens = obtain(tmp_path, texts, tokenizer)
    assert tokens.rows.tolist() == [0, 2, 4]
    assert list(tokens) == [tokenize(texts.pair(row), tokenizer) for row in (0, 2, 4)]
    assert tokens[1:] == [tokens[1], tokens[-1]]
    assert tokens.source_lengths.tolist() == [len(pair.source) for pair in tokens]
    assert tokens.target_lengths.tolist() == [len(pair.target) for pair in tokens]
    assert tokens.part_ends == (1, 3)
    with pytest.raises(IndexError):
        tokens[3]


def test_what_is_too_long_is_reported_with_its_line(tmp_path, texts, tokenizer):
    tokens = obtain(tmp_path, texts, tokenizer)
    assert tokens.report.dropped == {Fault.TOKENS: 1}
    example = tokens.report.examples[Fault.TOKENS]
    assert (example.part, example.line, example.target) == (0, 2, "Le fichier")
    assert tokens.report.read == 4  # the duplicate does not get here


def test_the_longest_pair_allowed_is_kept(tmp_path, texts, tokenizer):
    longest = max(pair.longest_side for pair in obtain(tmp_path, texts, tokenizer))
    assert len(obtain(tmp_path, texts, tokenizer, max_tokens=longest)) == 3
    assert len(obtain(tmp_path, texts, tokenizer, max_tokens=longest - 1)) == 2


def test_where_no_pair_is_left_the_limit_is_named(tmp_path, texts, tokenizer):
    with pytest.raises(CorpusError, match=r"corpus\.max_tokens: no pair is left: .* more than 0"):
        obtain(tmp_path, texts, tokenizer, max_tokens=0)


def test_another_tokenizer_or_limit_makes_another_store(tmp_path, texts, tokenizer):
    config = VocabularyConfig(size=336, character_coverage=1.0)
    other = train_tokenizer(["other words", "to learn"] * 9, config, seed=1)
    entries = {
        TokenStore.obtain(Cache(tmp_path / "cache"), texts, t, max_tokens=n).ids.base.filename
        for t, n in ((tokenizer, 30), (other, 300), (tokenizer, 31), (tokenizer, 30))
    }
    assert len(entries) == 3


def test_ids_are_mapped_and_as_small_as_the_vocabulary_allows(tmp_path, texts, tokenizer):
    tokens = obtain(tmp_path, texts, tokenizer)
    assert tokens.ids.dtype == np.uint16
    assert not tokens.ids.flags.writeable
    assert isinstance(tokens.ids.base, np.memmap)
