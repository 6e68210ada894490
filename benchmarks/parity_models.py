"""Which models are held against their graphs: every option of every family, or trained ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch

from ferryman_bundle.manifest import Storage
from ferryman_export.rounding import round_weights
from ferryman_training.batching import TokenPair, tokenize
from ferryman_training.checkpoint import Checkpoint
from ferryman_training.corpus import SentencePair
from ferryman_training.corpus_config import VocabularyConfig
from ferryman_training.model_config import ModelConfig, RecurrentConfig, TransformerConfig
from ferryman_training.seq2seq import Seq2Seq, build_model
from ferryman_training.vocabulary import train_tokenizer

_PIECES: Final = 600
_CALIBRATION: Final = 100
"""Sentences of the same text, others than those that are compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A model, and the sentences that it is to be held against its graphs with."""

    name: str
    model: Seq2Seq
    """With the values that a bundle stores."""
    trained: bool
    calibration: Sequence[TokenPair]
    compared: Sequence[TokenPair]


def _transformers() -> Iterator[tuple[str, ModelConfig]]:
    sizes = {"encoder_layers": 1, "decoder_layers": 2, "width": 32, "heads": 2, "feed_forward": 64}
    options: dict[str, dict[str, Any]] = {
        "transformer": {},
        "transformer, post-norm": {"norm": "post"},
        "transformer, learned positions": {"positions": "learned"},
        "transformer, rotary positions": {"positions": "rotary"},
        "transformer, GELU": {"activation": "gelu"},
        "transformer, SwiGLU": {"activation": "swiglu"},
        "transformer, output tied": {"tied_embeddings": "output"},
        "transformer, nothing tied": {"tied_embeddings": "none"},
        "transformer, aligned head": {"aligned_head": {"layer": 0, "head": 1}},
        "transformer, heads of 24": {"heads": 2, "width": 48},
    }
    for name, chosen in options.items():
        yield name, TransformerConfig.model_validate(sizes | chosen)


def _recurrent() -> Iterator[tuple[str, ModelConfig]]:
    # Without attention the bridge is all that the decoder learns of the source.
    attentions: dict[str, dict[str, Any]] = {
        "none": {"attention": "none", "bridge": "copy"},
        "bahdanau": {"attention": "bahdanau"},
        "luong": {"attention": "luong", "input_feeding": True},
    }
    sizes = {"encoder_layers": 2, "decoder_layers": 2, "width": 32}
    for cell in ("rnn", "lstm", "gru"):
        for name, attention in attentions.items():
            for both in (True, False):
                chosen = sizes | attention | {"cell": cell, "bidirectional": both}
                way = "" if both else ", one way"
                yield f"{cell}-{name}{way}", RecurrentConfig.model_validate(chosen)


FAMILIES: Final[Mapping[str, ModelConfig]] = dict([*_transformers(), *_recurrent()])
"""By name, in the order of the table."""


def untrained(name: str, pairs: Sequence[SentencePair], *, count: int, seed: int) -> Subject:
    """Return a model of random weights, and real text in pieces that were learnt from it.

    Vectors are moved off the zeros and ones that they begin with: a bias of zero hides a bias that
    was forgotten.

    Args:
        name: Of `FAMILIES`.
        pairs: Real sentence pairs.
        count: How many of them are compared.
        seed: Of vocabulary and weights.
    """
    texts = [text for pair in pairs[:800] for text in (pair.source, pair.target)]
    tokenizer = train_tokenizer(texts, VocabularyConfig(size=_PIECES), seed=seed)
    torch.manual_seed(seed)
    model = build_model(FAMILIES[name], tokenizer.vocabulary_size).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 1:
                parameter.add_(torch.randn_like(parameter) * 0.1)
    return _subject(name, model, [tokenize(p, tokenizer) for p in pairs], count, trained=False)


def trained(run: Path, pairs: Sequence[SentencePair], *, count: int) -> Subject:
    """Return the model of a run, and text in its own pieces.

    Args:
        run: A directory of `ferryman train`.
        pairs: Real sentence pairs.
        count: How many of them are compared.
    """
    checkpoint = Checkpoint.load(run)
    longest = checkpoint.config.corpus.max_tokens
    tokens = [tokenize(pair, checkpoint.tokenizer) for pair in pairs]
    fitting = [pair for pair in tokens if max(len(pair.source), len(pair.target)) <= longest]
    return _subject(run.name, checkpoint.model(), fitting, count, trained=True)


def _subject(
    name: str, model: Seq2Seq, tokens: Sequence[TokenPair], count: int, *, trained: bool
) -> Subject:
    """Divide the sentences: some to calibrate with, evenly spread ones of the others to compare."""
    calibration, others = tokens[:_CALIBRATION], tokens[_CALIBRATION:]
    compared = others[:: max(1, len(others) // count)][:count]
    return Subject(
        name=name,
        model=round_weights(model, Storage.INT8),
        trained=trained,
        calibration=calibration,
        compared=compared,
    )
