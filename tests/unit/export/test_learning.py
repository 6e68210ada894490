"""A shortlist that is learnt at export lists what the corpus translates its words by."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console

from ferryman_bundle import Bundle
from ferryman_export.errors import ExportError
from ferryman_export.learning import BEST, FREQUENT, learn_from
from ferryman_export.phases import Phases
from ferryman_training.corpus import read_pairs

ROOT = Path(__file__).parents[3]
SAMPLE = ROOT / "tests" / "data" / "sample.en-fr.tsv"
DEFAULT_MODEL = ROOT / "models" / "en-fr" / "ferryman_model_en_fr" / "bundle"


@pytest.fixture(scope="module")
def tokenizer():
    return Bundle.load(DEFAULT_MODEL).tokenizer


@pytest.fixture(scope="module")
def shortlist(tokenizer):
    phases = Phases(Console(quiet=True))
    return learn_from(read_pairs(SAMPLE)[:600], tokenizer, phases=phases)


def pieces(tokenizer, ids):
    return {tokenizer.piece(int(i)) for i in ids}


@pytest.mark.parametrize(
    ("source", "translation"), [("file", "fichier"), ("list", "liste"), ("version", "version")]
)
def test_a_word_calls_for_its_translation(shortlist, tokenizer, source, translation):
    (word,) = tokenizer.encode(source)
    assert f"▁{translation}" in pieces(tokenizer, shortlist.candidates([word]))


def test_lists_are_no_longer_than_asked_for(shortlist, tokenizer):
    assert FREQUENT < len(shortlist.always) <= FREQUENT + 1
    for source in range(0, tokenizer.vocabulary_size, 97):
        own = shortlist.candidates([source])
        assert len(own) <= len(shortlist.always) + BEST + 1


def test_a_corpus_without_pairs_is_told(tokenizer):
    with pytest.raises(ExportError, match="no pairs to learn a shortlist from"):
        learn_from([], tokenizer, phases=Phases(Console(quiet=True)))
