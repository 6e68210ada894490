"""Optimizers, clipping, master weights and their gradients."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from ferryman_training.optimization import MasterOptimizer
from ferryman_training.optimizer_config import OptimizerConfig


class TwoLayers(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(1)
        self.embedding = nn.Embedding(7, 4)
        self.linear = nn.Linear(4, 4)


def fill_gradients(model: nn.Module, *, seed: int, scale: float = 1.0) -> None:
    generator = torch.Generator().manual_seed(seed)
    for parameter in model.parameters():
        gradient = torch.randn(parameter.shape, generator=generator) * scale
        parameter.grad = gradient.to(parameter.dtype)


KINDS = ["adam", "adamw", "sgd", "adafactor", "muon"]


def references(kind: str, model: TwoLayers, config: OptimizerConfig) -> list[torch.optim.Optimizer]:
    """Return torch's optimizers for a model in float32, none of them fused."""
    every, adam = list(model.parameters()), {"betas": config.betas, "eps": 1e-9}
    match kind:
        case "adam":
            return [torch.optim.Adam(every, weight_decay=0.01, **adam)]
        case "adamw":
            return [torch.optim.AdamW(every, weight_decay=0.01, **adam)]
        case "sgd":
            return [torch.optim.SGD(every, momentum=0.9, weight_decay=0.01)]
        case "adafactor":
            return [torch.optim.Adafactor(every, weight_decay=0.01)]
    matrix = model.linear.weight
    rest = [p for p in every if p is not matrix]
    return [
        torch.optim.AdamW(rest, weight_decay=0.01, **adam),
        torch.optim.Muon([matrix], weight_decay=0.01, adjust_lr_fn="match_rms_adamw"),
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_float32_updates_are_those_of_torchs_optimizers(kind):
    config = OptimizerConfig(kind=kind, clip_norm=1e9)
    ours, theirs = TwoLayers(), TwoLayers()
    optimizer = MasterOptimizer(ours, config)
    expected = references(kind, theirs, config)
    for seed, rate in enumerate((0.1, 0.01, 0.02)):
        for model in (ours, theirs):
            fill_gradients(model, seed=seed)
        optimizer.accumulate()
        optimizer.update(rate)
        for reference in expected:
            reference.param_groups[0]["lr"] = rate
            reference.step()
    for found, wanted in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_an_optimizer_that_was_saved_goes_on_bit_for_bit(kind, precision, tmp_path):
    config = OptimizerConfig(kind=kind)

    def begin() -> tuple[TwoLayers, MasterOptimizer]:
        model = TwoLayers()
        optimizer = MasterOptimizer(model, config)
        model.to(precision)
        optimizer.publish()
        return model, optimizer

    def learn(model: TwoLayers, optimizer: MasterOptimizer, seeds: range) -> None:
        for seed in seeds:
            fill_gradients(model, seed=seed)
            optimizer.accumulate()
            optimizer.update(0.01)

    whole, expected = begin()
    learn(whole, expected, range(6))
    stopped, optimizer = begin()
    learn(stopped, optimizer, range(3))
    torch.save(optimizer.state_dict(), tmp_path / "state")
    resumed, optimizer = begin()
    optimizer.load_state_dict(torch.load(tmp_path / "state", weights_only=True))
    learn(resumed, optimizer, range(3, 6))
    for name, weight in expected.master.items():
        assert torch.equal(weight, optimizer.master[name]), name
    assert not torch.equal(whole.linear.weight, stopped.linear.weight)


def clipped(config: OptimizerConfig) -> tuple[torch.Tensor, torch.Tensor]:
    """Return a gradient and what the optimizer is given of it, both flat."""
    model = TwoLayers()
    optimizer = MasterOptimizer(model, config)
    fill_gradients(model, seed=1)
    flat = torch.cat([p.grad.flatten() for p in model.parameters()])
    optimizer.accumulate()
    assert optimizer.gradient_norm() == pytest.approx(float(flat.norm()))
    seen = []
    original = optimizer._optimizers[0].step
    optimizer._optimizers[0].step = lambda: seen.append(optimizer.gradient.clone()) or original()
    optimizer.update(0.1)
    return flat, seen[0]


def test_gradients_are_clipped_by_their_common_norm():
    flat, found = clipped(OptimizerConfig(clip_norm=0.5))
    torch.testing.assert_close(found, flat * (0.5 / float(flat.norm())))


def test_gradients_are_clipped_by_value_and_then_by_norm():
    flat, found = clipped(OptimizerConfig(clip_norm=0.0, clip_value=0.25))
    assert float(flat.abs().max()) > 0.25
    assert torch.equal(found, torch.tensor([min(max(x, -0.25), 0.25) for x in flat.tolist()]))
    _, both = clipped(OptimizerConfig(clip_norm=0.5, clip_value=0.25))
    torch.testing.assert_close(both, found * (0.5 / float(found.norm())))


def test_without_a_limit_gradients_stay_as_they_are():
    flat, found = clipped(OptimizerConfig(clip_norm=0.0))
    assert torch.equal(found, flat)


def test_gradients_of_micro_batches_add_up_in_float32_and_start_anew_after_an_update():
    model = TwoLayers()
    optimizer = MasterOptimizer(model, OptimizerConfig())
    model.to(torch.bfloat16)
    # 256 + 1 is 256 in bfloat16.
    for value in (256.0, 1.0):
        for parameter in model.parameters():
            parameter.grad = torch.full_like(parameter, value)
        optimizer.accumulate()
        assert all(parameter.grad is None for parameter in model.parameters())
    assert optimizer.gradient.unique().tolist() == [257.0]
    optimizer.update(0.1)
    assert optimizer.gradient.unique().tolist() == [0.0]


def test_masters_keep_what_bfloat16_would_lose():
    model = TwoLayers()
    optimizer = MasterOptimizer(model, OptimizerConfig(weight_decay=0.0))
    model.to(torch.bfloat16)
    optimizer.publish()
    before = optimizer.master["linear.weight"].clone()
    working = model.linear.weight.clone()
    for seed in range(3):
        fill_gradients(model, seed=seed)
        optimizer.accumulate()
        optimizer.update(1e-6)
    after = optimizer.master["linear.weight"]
    assert not torch.equal(before, after)
    assert torch.equal(working, model.linear.weight)
    assert torch.equal(model.linear.weight, after.to(torch.bfloat16))


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_gradient_that_is_not_finite_shows_in_the_norm_and_can_be_discarded(bad):
    model = TwoLayers()
    optimizer = MasterOptimizer(model, OptimizerConfig())
    fill_gradients(model, seed=1)
    model.linear.weight.grad[0, 0] = bad
    optimizer.accumulate()
    assert not math.isfinite(optimizer.gradient_norm())
    optimizer.discard()
    assert optimizer.gradient_norm() == 0.0


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_weight_that_is_not_finite_is_found(bad):
    optimizer = MasterOptimizer(TwoLayers(), OptimizerConfig())
    assert optimizer.finite
    optimizer.master["linear.bias"][-1] = bad
    assert not optimizer.finite
