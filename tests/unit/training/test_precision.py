"""Number formats, and the loss scale of float16."""

from __future__ import annotations

import pytest
import torch

from ferryman_training import precision
from ferryman_training.precision import LossScale, Precision
from ferryman_training.run_config import RunConfig

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("name", "autocast", "weights", "products"),
    [
        ("float32", False, torch.float32, torch.float32),
        ("float32", True, torch.float32, torch.float32),
        ("bfloat16", False, torch.bfloat16, torch.bfloat16),
        ("bfloat16", True, torch.float32, torch.bfloat16),
        ("float16", True, torch.float32, torch.float16),
    ],
)
def test_weights_and_products_have_the_types_asked_for(name, autocast, weights, products):
    chosen = Precision(RunConfig(precision=name, autocast=autocast))
    assert chosen.weights == weights
    layer = torch.nn.Linear(4, 4).to(chosen.weights)
    with chosen.computing(CPU):
        product = layer(torch.ones(1, 4, dtype=chosen.weights))
    assert product.dtype == products


def test_only_float16_has_a_loss_scale():
    scales = [Precision(RunConfig(precision=n)).loss_scale() for n in ("float32", "bfloat16")]
    for scale in scales:
        for _ in range(5000):
            scale.passed()
        assert scale.value == 1.0
        assert not scale.overflowed()
    assert Precision(RunConfig(precision="float16")).loss_scale().value == 65536.0


def test_the_scale_is_torchs_grad_scalers(monkeypatch):
    monkeypatch.setattr(precision, "_GROWTH_INTERVAL", 3)
    theirs = torch.amp.GradScaler("cpu", init_scale=64.0, growth_interval=3)
    ours = LossScale(64.0)
    weight = torch.zeros(1, requires_grad=True)
    optimizer = torch.optim.SGD([weight], lr=0.0)
    for overflow in [0, 0, 0, 1, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0]:
        theirs.scale(weight.sum()).backward()
        weight.grad.fill_(float("inf") if overflow else 1.0)
        theirs.step(optimizer)
        theirs.update()
        if overflow:
            ours.overflowed()
        else:
            ours.passed()
        assert ours.value == theirs.get_scale()


def test_at_a_scale_of_one_an_overflow_is_a_fault():
    scale = LossScale(4.0)
    assert [scale.overflowed() for _ in range(3)] == [True, True, False]
    assert scale.value == 1.0


def test_a_scale_is_restored_unless_the_precision_has_changed():
    first, second, other = LossScale(64.0), LossScale(64.0), LossScale(1.0)
    first.overflowed()
    second.load_state_dict(first.state_dict())
    other.load_state_dict(first.state_dict())
    assert (second.value, other.value) == (32.0, 1.0)
    second.load_state_dict(other.state_dict())
    assert second.value == 32.0
