"""Every kind of recurrent model, small, and a batch of mixed lengths."""

from __future__ import annotations

import itertools
from typing import Final

import pytest
import torch
from torch import Tensor, nn

from ferryman_bundle.tokenizer import BOS, EOS
from ferryman_training.batching import pad
from ferryman_training.model_config import RecurrentConfig
from ferryman_training.recurrent import Recurrent

VOCABULARY: Final = 23

ATTENTIONS = [
    {"attention": "none"},
    {"attention": "bahdanau"},
    *(
        {"attention": "luong", "score": score, "input_feeding": feeding}
        for score in ("dot", "general", "concat")
        for feeding in (False, True)
    ),
]
SHAPES = [
    {"encoder_layers": 1, "decoder_layers": 1, "bidirectional": True, "bridge": "copy"},
    {"encoder_layers": 2, "decoder_layers": 2, "bidirectional": False, "bridge": "copy"},
    {"encoder_layers": 1, "decoder_layers": 3, "bidirectional": False, "bridge": "dense"},
    {"encoder_layers": 2, "decoder_layers": 1, "bidirectional": True, "bridge": "dense"},
    {"encoder_layers": 2, "decoder_layers": 2, "bidirectional": True, "bridge": "zero"},
]
CONFIGS = [
    RecurrentConfig(cell=cell, width=6, tied_embeddings=i % 2 == 0, **attention, **shape)
    for i, (cell, attention, shape) in enumerate(
        itertools.product(("rnn", "lstm", "gru"), ATTENTIONS, SHAPES)
    )
    if (attention["attention"], shape["bridge"]) != ("none", "zero")
]


def describe(config: RecurrentConfig) -> str:
    attention = config.attention
    if attention == "luong":
        attention = config.score + ("-fed" if config.input_feeding else "")
    direction = 2 if config.bidirectional else 1
    depth = f"{config.encoder_layers}x{direction}+{config.decoder_layers}"
    return f"{config.cell}-{attention}-{depth}-{config.bridge}"


def build(config: RecurrentConfig) -> Recurrent:
    """Return a model in which no weight is zero by chance."""
    torch.manual_seed(5)
    model = Recurrent(config, VOCABULARY).double().eval()
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.5)
    return model


@pytest.fixture(params=CONFIGS, ids=describe)
def model(request) -> Recurrent:
    """A model of every kind."""
    return build(request.param)


@pytest.fixture(params=[c for c in CONFIGS if c.cell == "lstm"], ids=describe)
def lstm(request) -> Recurrent:
    """A model of every kind of attention, with LSTM cells."""
    return build(request.param)


@pytest.fixture(params=[c for c in CONFIGS if c.attention == "none"], ids=describe)
def plain(request) -> Recurrent:
    """A model of every kind that has no attention."""
    return build(request.param)


@pytest.fixture
def sources() -> list[list[int]]:
    """Sentences of mixed lengths, with the end of sentence."""
    return [[9, 4, 12, 5, EOS], [7, EOS], [20, 21, 22, 8, 4, 6, 19, EOS], [5, 5, EOS]]


@pytest.fixture
def targets() -> list[list[int]]:
    """As many, with the start of sentence."""
    return [[BOS, 8, 9], [BOS, 4, 10, 11, 12, 13], [BOS, 6], [BOS, 15, 14, 13, 12]]


@pytest.fixture
def source(sources) -> Tensor:
    """The same, padded, (B, S)."""
    return pad(sources)


@pytest.fixture
def target(targets) -> Tensor:
    """The same, padded, (B, T)."""
    return pad(targets)
