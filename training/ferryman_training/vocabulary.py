"""Training of the joint SentencePiece vocabulary."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable

import sentencepiece

from ferryman_bundle.tokenizer import BOS, EOS, PAD, RESERVED, UNKNOWN, Tokenizer
from ferryman_training.corpus_config import VocabularyConfig
from ferryman_training.errors import CorpusError


def train_tokenizer(sentences: Iterable[str], config: VocabularyConfig, *, seed: int) -> Tokenizer:
    """Train one vocabulary for both languages.

    Kudo 2018, https://arxiv.org/abs/1804.10959 (unigram), Sennrich et al. 2016,
    https://arxiv.org/abs/1508.07909 (BPE). Byte fallback means that no text is ever unknown.

    Args:
        sentences: Source and target sentences alike.
        config: Size and kind of the vocabulary.
        seed: Seed of the sampling that SentencePiece does on large corpora.

    Raises:
        CorpusError: The corpus cannot fill a vocabulary of that size.
    """
    model = io.BytesIO()
    sentencepiece.set_random_generator_seed(seed)
    try:
        sentencepiece.SentencePieceTrainer.Train(
            sentence_iterator=iter(sentences),
            model_writer=model,
            model_type=config.kind,
            vocab_size=config.size,
            character_coverage=config.character_coverage,
            byte_fallback=True,
            user_defined_symbols=list(RESERVED),
            normalization_rule_name="nmt_nfkc",
            split_digits=True,
            pad_id=PAD,
            unk_id=UNKNOWN,
            bos_id=BOS,
            eos_id=EOS,
            num_threads=1,
            input_sentence_size=config.sample_sentences,
            shuffle_input_sentence=True,
            minloglevel=2,
        )
    except RuntimeError as error:
        raise CorpusError(f"vocabulary.size: {_reason(str(error), config.size)}") from error
    return Tokenizer(model.getvalue())


def _reason(message: str, size: int) -> str:
    """Return what a person can do about a message of SentencePiece."""
    limit = re.search(r"set it to a value <= (\d+)", message)
    if limit:
        return f"this corpus fills {limit[1]} pieces at most, not {size}; lower it or add text"
    needed = re.search(r"smaller than required_chars\. \d+ vs (\d+)", message)
    if needed:
        return (
            f"{size} is too small for the characters of this corpus, which need {needed[1]}; "
            "raise it or lower vocabulary.character_coverage"
        )
    return f"SentencePiece could not build {size} pieces ({message.strip().splitlines()[-1]})"
