"""Schedule, clipping, master weights and their gradients."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from ferryman_training.errors import DivergenceError
from ferryman_training.optimization import MasterOptimizer, learning_rate
from ferryman_training.optimizer_config import OptimizerConfig


@st.composite
def schedules(draw):
    warmup, cooldown = draw(st.integers(1, 50)), draw(st.integers(0, 50))
    steps = warmup + cooldown + draw(st.integers(0, 50))
    kind = draw(st.sampled_from(["inverse-sqrt", "constant"]))
    config = OptimizerConfig(
        learning_rate=0.5, warmup_steps=warmup, cooldown_steps=cooldown, schedule=kind
    )
    return config, steps


@given(schedules())
def test_the_rate_rises_to_its_peak_never_passes_it_and_ends_low(schedule):
    config, steps = schedule
    rates = [learning_rate(config, step, steps) for step in range(1, steps + 1)]
    peak = config.warmup_steps - 1
    assert rates[:peak] == sorted(rates[:peak])
    assert all(0 < rate <= config.learning_rate for rate in rates)
    assert rates[peak:] == sorted(rates[peak:], reverse=True)
    if config.cooldown_steps:
        assert rates[-1] <= config.learning_rate / (config.cooldown_steps + 1)


def test_between_warm_up_and_cool_down_the_rate_is_the_papers_or_constant():
    inverse = OptimizerConfig(learning_rate=1.0, warmup_steps=100, cooldown_steps=10)
    # Equation 3 of arXiv 1706.03762 in multiples of its value at the end of the warm-up.
    for step in (1, 50, 100, 101, 400, 900):
        equation_3 = min(step**-0.5, step * 100**-1.5) / 100**-0.5
        assert learning_rate(inverse, step, 1000) == pytest.approx(equation_3)
    constant = inverse.model_copy(update={"schedule": "constant"})
    assert {learning_rate(constant, step, 1000) for step in (100, 400, 990)} == {1.0}


def test_the_cool_down_is_linear_and_would_be_zero_after_the_last_step():
    config = OptimizerConfig(
        learning_rate=1.0, warmup_steps=1, cooldown_steps=4, schedule="constant"
    )
    rates = [learning_rate(config, step, 10) for step in range(6, 12)]
    assert rates == pytest.approx([1.0, 0.8, 0.6, 0.4, 0.2, 0.0])


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


@pytest.mark.parametrize("kind", ["adamw", "muon"])
def test_float32_updates_are_those_of_torchs_optimizers(kind):
    config = OptimizerConfig(kind=kind, clip_norm=1e9)
    ours, theirs = TwoLayers(), TwoLayers()
    optimizer = MasterOptimizer(ours, config)
    matrices = [theirs.linear.weight] if kind == "muon" else []
    rest = [p for p in theirs.parameters() if all(p is not m for m in matrices)]
    references = [torch.optim.AdamW(rest, betas=config.betas, eps=1e-9, weight_decay=0.01)]
    if matrices:
        references.append(
            torch.optim.Muon(matrices, weight_decay=0.01, adjust_lr_fn="match_rms_adamw")
        )
    for seed, rate in enumerate((0.1, 0.01, 0.02)):
        for model in (ours, theirs):
            fill_gradients(model, seed=seed)
        optimizer.accumulate()
        optimizer.update(rate)
        for reference in references:
            reference.param_groups[0]["lr"] = rate
            reference.step()
    for found, expected in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(found, expected)


def test_gradients_are_clipped_by_their_common_norm():
    model = TwoLayers()
    optimizer = MasterOptimizer(model, OptimizerConfig(clip_norm=0.5))
    fill_gradients(model, seed=1)
    flat = torch.cat([p.grad.flatten() for p in model.parameters()])
    optimizer.accumulate()
    seen = []
    original = optimizer._optimizers[0].step
    optimizer._optimizers[0].step = lambda: seen.append(optimizer.gradient.clone()) or original()
    assert optimizer.update(0.1) == pytest.approx(float(flat.norm()))
    torch.testing.assert_close(seen[0], flat * (0.5 / float(flat.norm())))


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
def test_a_gradient_that_is_not_finite_changes_nothing(bad):
    model = TwoLayers()
    optimizer = MasterOptimizer(model, OptimizerConfig())
    before = {name: weight.clone() for name, weight in optimizer.master.items()}
    fill_gradients(model, seed=1)
    model.linear.weight.grad[0, 0] = bad
    optimizer.accumulate()
    with pytest.raises(DivergenceError, match="learning_rate"):
        optimizer.update(0.1)
    assert all(torch.equal(before[name], weight) for name, weight in optimizer.master.items())
