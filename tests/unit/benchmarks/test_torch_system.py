"""PyTorch as an engine, and models with random weights."""

from __future__ import annotations

import pytest
import torch
from benchmarks.base_model import Size, random_checkpoint
from benchmarks.loads import RANDOM, Load
from benchmarks.torch_system import Torch

from ferryman_bundle.tokenizer import BOS, EOS
from ferryman_training.batching import pad
from ferryman_training.checkpoint import Checkpoint
from ferryman_training.decoding import NEVER_GENERATED

SIZE = Size(encoder_layers=1, decoder_layers=2, width=16, heads=2, feed_forward=32, vocabulary=400)


@pytest.fixture
def checkpoint(seed) -> Checkpoint:
    return random_checkpoint(SIZE, seed)


def test_all_tensors_of_a_random_model_are_different(checkpoint):
    tensors = [tuple(weight.flatten().tolist()) for weight in checkpoint.weights.values()]
    assert len(set(tensors)) == len(tensors)
    assert checkpoint.config.name == RANDOM
    assert checkpoint.model().output_weight.shape == (400, 16)


def test_made_up_words_are_cut_as_they_were_made(checkpoint):
    tokenizer = checkpoint.tokenizer
    ids = [399, 324, 350, 350]
    assert tokenizer.encode(tokenizer.decode(ids)) == ids


def test_each_token_is_the_likeliest_after_those_before_it(checkpoint):
    model = checkpoint.model()
    sources = [(330, 340), (350,), (360, 370, 380)]
    load = Load(tuple(sources), ((),) * 3, beam_size=1, group=2, target_tokens=5)
    system = Torch(model, "cpu", torch.float32)
    answers = system.ids(system.translate(load))
    assert [len(ids) for ids in answers] == [5, 5, 5]
    for source, ids in zip(sources, answers, strict=True):
        with torch.no_grad():
            read = model(pad([(*source, EOS)]), pad([(BOS, *ids[:-1])]))
            logits = model.logits(read)[0]
        logits[:, [*NEVER_GENERATED, EOS]] = float("-inf")
        assert tuple(logits.argmax(dim=-1).tolist()) == ids
