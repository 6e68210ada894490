"""A rounded model is what its bundle will store, and no more is changed."""

from __future__ import annotations

import pytest
import torch

from ferryman_bundle.manifest import Storage
from ferryman_bundle.quantization import recognize
from ferryman_export.rounding import round_weights
from ferryman_training.model_config import TransformerConfig
from ferryman_training.transformer import Transformer


@pytest.fixture
def model():
    torch.manual_seed(1)
    config = TransformerConfig(
        encoder_layers=1, decoder_layers=1, width=16, heads=2, feed_forward=32
    )
    return Transformer(config, 50).eval()


def test_every_matrix_is_recognized_and_nothing_else_moves(model):
    rounded = round_weights(model, Storage.INT8)
    for name, parameter in rounded.named_parameters():
        before = model.get_parameter(name)
        if parameter.ndim == 2:
            assert recognize(parameter.detach().numpy()) is not None
            assert not torch.equal(parameter, before)
            steps = before.abs().amax(dim=1, keepdim=True) / 127 * 1.001
            assert ((parameter - before).abs() <= steps / 2).all()
        else:
            assert torch.equal(parameter, before)


def test_rounding_twice_is_rounding_once(model):
    once = round_weights(model, Storage.INT8)
    twice = round_weights(once, Storage.INT8)
    for one, other in zip(once.parameters(), twice.parameters(), strict=True):
        assert torch.equal(one, other)


def test_the_given_model_is_left_alone(model):
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    round_weights(model, Storage.INT8)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_float32_storage_keeps_every_bit(model):
    kept = round_weights(model, Storage.FLOAT32)
    assert kept is not model
    for one, other in zip(kept.parameters(), model.parameters(), strict=True):
        assert torch.equal(one, other)
