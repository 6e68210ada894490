"""The vocabulary: any text goes in and out, reserved pieces stay ours."""

from __future__ import annotations

import pytest

from ferryman_bundle.tokenizer import BOS, EOS, PAD, RESERVED, UNKNOWN
from ferryman_training.corpus_config import VocabularyConfig
from ferryman_training.errors import CorpusError
from ferryman_training.vocabulary import train_tokenizer

SENTENCES = ["a small text", "with a few words", "and some letters: xyz"] * 20


def config(**changes) -> VocabularyConfig:
    return VocabularyConfig(**({"size": 346, "character_coverage": 1.0} | changes))


@pytest.mark.parametrize(
    "text", ["Élève, où es-tu ?", "日本 語", "☃ fin", "naïve 👩 ok", "שלום", "x\u0301y"]
)
def test_text_of_any_script_comes_back_spelt_in_bytes_where_there_is_no_piece(tokenizer, text):
    ids = tokenizer.encode(text)
    assert not set(ids) & {PAD, UNKNOWN, BOS, EOS}
    assert tokenizer.decode(ids) == text


def test_every_reserved_character_is_one_piece_and_comes_back(tokenizer):
    text = f"the {RESERVED[0]} of{RESERVED[32]}the file{RESERVED[48]}."
    ids = tokenizer.encode(text, reserved=True)
    assert tokenizer.decode(ids) == text
    pieces = [tokenizer.encode(character, reserved=True)[-1] for character in RESERVED]
    assert len(set(pieces)) == len(RESERVED) == 64
    assert set(pieces) & set(ids) == {pieces[0], pieces[32], pieces[48]}


def test_reserved_characters_of_foreign_text_never_become_reserved_pieces(tokenizer):
    reserved = {tokenizer.encode(character, reserved=True)[-1] for character in RESERVED}
    foreign = "".join(f"the {character} file" for character in RESERVED)
    ids = tokenizer.encode(foreign)
    assert not reserved & set(ids)
    assert not set(RESERVED) & set(tokenizer.decode(ids))
    assert tokenizer.decode(ids).count("the") == len(RESERVED)


def test_digits_are_pieces_of_their_own(tokenizer):
    pieces = [tokenizer.piece(i) for i in range(tokenizer.vocabulary_size)]
    assert not [p for p in pieces if sum(c.isdigit() for c in p) > 1 and not p.startswith("<0x")]


def test_the_same_corpus_and_seed_make_the_same_model():
    first, second = (train_tokenizer(SENTENCES, config(), seed=7).model for _ in range(2))
    assert first == second


@pytest.mark.parametrize("kind", ["unigram", "bpe"])
def test_a_vocabulary_larger_than_the_corpus_is_refused_with_the_limit(kind):
    with pytest.raises(CorpusError, match=r"vocabulary.size: this corpus fills \d+ .* not 900"):
        train_tokenizer(SENTENCES, config(kind=kind, size=900), seed=1)


def test_a_vocabulary_smaller_than_its_characters_is_refused():
    with pytest.raises(CorpusError, match=r"vocabulary.size: 326 .* need 3\d\d"):
        train_tokenizer(SENTENCES, config(size=326), seed=1)
