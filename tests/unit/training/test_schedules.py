"""Learning rates against the papers' equations, and what a run adds to them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ferryman_training.optimizer_config import OptimizerConfig
from ferryman_training.schedules import Schedule, planned_rate

KINDS = ["noam", "inverse-sqrt", "cosine", "plateau", "constant"]
WIDTH = 64


@st.composite
def schedules(draw):
    warmup, cooldown = draw(st.integers(1, 50)), draw(st.integers(0, 50))
    steps = warmup + cooldown + draw(st.integers(0, 50))
    config = OptimizerConfig(
        learning_rate=0.5,
        warmup_steps=warmup,
        cooldown_steps=cooldown,
        schedule=draw(st.sampled_from(KINDS)),
    )
    return config, steps


def rates(config: OptimizerConfig, steps: int) -> list[float]:
    return [planned_rate(config, step, steps=steps, width=WIDTH) for step in range(1, steps + 1)]


@given(schedules())
def test_the_rate_rises_to_its_peak_never_passes_it_and_ends_low(schedule):
    config, steps = schedule
    found = rates(config, steps)
    top = 0.5 / math.sqrt(WIDTH * config.warmup_steps) if config.schedule == "noam" else 0.5
    peak = config.warmup_steps - 1
    assert found[:peak] == sorted(found[:peak])
    assert all(0 < rate <= top for rate in found)
    assert found[peak:] == sorted(found[peak:], reverse=True)
    if config.cooldown_steps:
        assert found[-1] <= top / (config.cooldown_steps + 1)
    elif config.schedule != "cosine":
        assert found[peak] == pytest.approx(top)


def equation_3(step: int, *, width: int, warmup: int) -> float:
    """Vaswani et al. 2017, https://arxiv.org/abs/1706.03762, section 5.3."""
    return width**-0.5 * min(step**-0.5, step * warmup**-1.5)


def test_noam_is_the_papers_rate_and_inverse_sqrt_the_same_with_its_peak_given():
    noam = OptimizerConfig(learning_rate=1.0, warmup_steps=100, cooldown_steps=0, schedule="noam")
    inverse = noam.model_copy(update={"schedule": "inverse-sqrt"})
    top = equation_3(100, width=512, warmup=100)
    for step in (1, 50, 100, 101, 400, 900):
        expected = equation_3(step, width=512, warmup=100)
        assert planned_rate(noam, step, steps=1000, width=512) == pytest.approx(expected)
        found = planned_rate(inverse, step, steps=1000, width=512)
        assert found == pytest.approx(expected / top)


def test_cosine_goes_from_the_peak_to_zero_after_the_last_update():
    config = OptimizerConfig(
        learning_rate=1.0, warmup_steps=10, cooldown_steps=0, schedule="cosine"
    )
    found = rates(config, 109)
    # Equation 5 of https://arxiv.org/abs/1608.03983 with a minimum of 0 and T_i = 100.
    expected = [0.5 * (1 + math.cos(math.pi * t / 100)) for t in range(100)]
    assert found[9:] == pytest.approx(expected)
    assert planned_rate(config, 110, steps=109, width=WIDTH) == pytest.approx(0.0)


def test_constant_is_constant_and_the_cool_down_is_linear_to_zero_after_the_last_step():
    config = OptimizerConfig(
        learning_rate=1.0, warmup_steps=1, cooldown_steps=4, schedule="constant"
    )
    assert rates(config, 10) == pytest.approx([1.0] * 6 + [0.8, 0.6, 0.4, 0.2])


def plateau() -> Schedule:
    config = OptimizerConfig(
        learning_rate=1.0,
        warmup_steps=1,
        cooldown_steps=0,
        schedule="plateau",
        plateau_patience=2,
        plateau_factor=0.1,
    )
    return Schedule(config, steps=100, width=WIDTH)


def test_a_plateau_lowers_the_rate_after_its_patience_and_waits_anew():
    schedule = plateau()
    merits = [1.0, 2.0, 2.0, 1.0, 1.5, 1.5, 3.0, math.nan, 3.0]
    lowered = [schedule.validated(merit) for merit in merits]
    assert lowered == [False, False, False, True, False, True, False, False, True]
    assert schedule.rate(50) == pytest.approx(0.1**3)


@pytest.mark.parametrize("kind", ["inverse-sqrt", "constant"])
def test_other_schedules_do_not_look_at_validations(kind):
    schedule = Schedule(OptimizerConfig(schedule=kind), steps=5000, width=WIDTH)
    before = schedule.rate(2000)
    assert not any(schedule.validated(0.0) for _ in range(20))
    assert schedule.rate(2000) == before


def test_what_happened_on_the_way_is_restored():
    first, second = plateau(), plateau()
    for merit in (1.0, 0.0, 0.0, 0.0):
        first.validated(merit)
    first.lower(0.5)
    second.load_state_dict(first.state_dict())
    assert second.rate(9) == first.rate(9) == pytest.approx(0.05)
    assert second.validated(0.0) is first.validated(0.0) is True
