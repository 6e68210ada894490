"""Losses, gradients and weights that are no numbers, planted in real runs."""

from __future__ import annotations

import copy
import math
from pathlib import Path

import pytest
import torch
from whole_runs import (
    At,
    Crash,
    changed,
    course,
    crash,
    differences,
    events,
    run,
    same_bits,
    saved_state,
)

from ferryman_training import precision
from ferryman_training.checkpoint import Checkpoint
from ferryman_training.errors import DivergenceError
from ferryman_training.guard import Guard
from ferryman_training.learner import Learner
from ferryman_training.objective import Objective
from ferryman_training.run_config import RunConfig
from ferryman_training.schedules import Schedule


@pytest.fixture
def plant(monkeypatch):
    """Return a function that makes the loss or the gradient of some updates no number."""

    def planted(*, loss: set[int] = frozenset(), gradient: set[int] = frozenset()) -> None:
        at = {}
        update, backward = Learner.update, Objective.backward

        def note_step(self, planned):
            at["step"] = planned.step
            return update(self, planned)

        def spoil(self, batch, **options):
            found, tokens = backward(self, batch, **options)
            if at["step"] in gradient:
                next(self._model.parameters()).grad[0, 0] = math.inf
            return (math.nan if at["step"] in loss else found), tokens

        monkeypatch.setattr(Learner, "update", note_step)
        monkeypatch.setattr(Objective, "backward", spoil)

    return planted


def guarded(document: dict, **options) -> object:
    settings = {"checkpoint_every": 3, "log_every": 1, "max_skipped": 1, "precision": "float32"}
    return changed(document, run=settings | options)


def told(directory: Path, event: str) -> list[int]:
    return [e["step"] for e in events(directory) if e["event"] == event]


def finite(directory: Path) -> bool:
    return all(bool(w.isfinite().all()) for w in Checkpoint.load(directory).weights.values())


@pytest.mark.parametrize("where", ["loss", "gradient"])
def test_one_bad_update_is_skipped_and_said(document, tmp_path, plant, where):
    plant(**{where: {7}})
    display = At()
    assert run(guarded(document), tmp_path, display).step == 12
    assert (told(tmp_path, "skip"), told(tmp_path, "rollback")) == ([7], [])
    assert told(tmp_path, "update") == [1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12]
    expected = {"loss": "the loss is nan", "gradient": "the norm of the gradient is inf"}[where]
    assert f"step 7: skipped, {expected}" in display.text
    assert finite(tmp_path)


def test_a_skipped_update_changes_neither_weights_nor_optimizer(
    document, tmp_path, plant, monkeypatch
):
    plant(gradient={7})
    same = {}
    update = Learner.update

    def compare(self, planned):
        before = copy.deepcopy(self.state_dict())
        figures = update(self, planned)
        same[planned.step] = same_bits(before, self.state_dict())
        return figures

    monkeypatch.setattr(Learner, "update", compare)
    run(guarded(document), tmp_path)
    assert [step for step, unchanged in same.items() if unchanged] == [7]


def test_several_bad_updates_in_a_row_go_back_to_the_last_checkpoint(document, tmp_path, plant):
    plant(loss={8, 9})
    display = At()
    config = guarded(document)
    assert run(config, tmp_path, display).step == 12
    assert (told(tmp_path, "skip"), told(tmp_path, "rollback")) == ([8, 9], [9])
    # Nothing is saved at step 9, where the weights have just been called bad, but what is there
    # after the rollback: those of step 6.
    assert "step 9: went back to the weights of step 6" in display.text
    rates = {
        step: e["learning_rate"]
        for (event, step), e in course(tmp_path).items()
        if event == "update"
    }
    planned = Schedule(config.optimizer, steps=12, width=16)
    assert rates[7] == planned.rate(7)
    assert [rates[step] for step in (10, 11, 12)] == [planned.rate(s) / 2 for s in (10, 11, 12)]
    assert finite(tmp_path)


def test_the_weights_after_a_rollback_are_those_of_the_checkpoint(document, tmp_path, plant):
    plant(loss=set(range(7, 13)))
    seen = {}
    config = guarded(document, max_skipped=3)

    class Watch(At):
        def line(self, text):
            if "went back" in text:
                seen["state"] = saved_state(tmp_path)
            super().__getattr__("line")(text)

    run(config, tmp_path, Watch())
    first = seen["state"]["optimizer"]["master"]
    last = saved_state(tmp_path)["optimizer"]["master"]
    assert all(torch.equal(first[name], last[name]) for name in first)


def test_after_too_many_rollbacks_in_a_row_the_run_gives_up_and_can_go_on(
    document, tmp_path, plant, monkeypatch
):
    plant(gradient=set(range(7, 13)))
    config = guarded(document, max_rollbacks=2)
    with pytest.raises(DivergenceError, match=r"step 12: .* after 2 rollbacks in a row") as caught:
        run(config, tmp_path)
    assert "learning_rate" in str(caught.value)
    assert told(tmp_path, "rollback") == [8, 10]
    assert Checkpoint.load(tmp_path).progress.step == 6
    assert finite(tmp_path)
    monkeypatch.undo()
    assert run(config, tmp_path).step == 12


def test_before_the_first_checkpoint_a_rollback_leads_to_the_first_weights(
    document, tmp_path, plant
):
    plant(loss={1, 2})
    display = At()
    run(guarded(document), tmp_path, display)
    assert "step 2: went back to the weights of step 0" in display.text
    assert told(tmp_path, "update")[0] == 3


def test_a_run_without_any_good_update_fails(document, tmp_path, plant):
    plant(loss=set(range(1, 13)))
    with pytest.raises(DivergenceError, match="rollbacks in a row"):
        run(guarded(document), tmp_path)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("step", [8, 9])
def test_weights_that_are_no_numbers_are_never_saved(document, tmp_path, monkeypatch, step, bad):
    learners = []
    original = Learner.__init__

    def remember(self, *arguments, **options):
        original(self, *arguments, **options)
        learners.append(self)

    monkeypatch.setattr(Learner, "__init__", remember)

    def poison():
        learners[-1].weights["encoder_norm.weight"][0] = bad
        learners[-1].optimizer.publish()

    display = At(step, poison)
    assert run(guarded(document), tmp_path, display).step == 12
    assert "went back to the weights of step 6" in display.text
    assert told(tmp_path, "checkpoint")[-1] == 12
    assert finite(tmp_path)


@pytest.mark.parametrize("kill", [7, 10, 11])
def test_a_run_with_skips_and_rollbacks_resumes_bit_for_bit(document, tmp_path, plant, kill):
    plant(loss={4, 8, 9})
    config = guarded(document)
    run(config, tmp_path / "whole")
    with pytest.raises(Crash):
        run(config, tmp_path / "killed", At(kill, crash))
    run(config, tmp_path / "killed")
    assert differences(tmp_path / "whole", tmp_path / "killed") == []


def test_float16_finds_its_loss_scale_and_resumes_with_it(document, tmp_path, monkeypatch):
    monkeypatch.setattr(precision, "_FIRST_SCALE", 2.0**30)
    monkeypatch.setattr(precision, "_GROWTH_INTERVAL", 3)
    config = guarded(document, precision="float16", steps=24, checkpoint_every=7)
    display = At()
    run(config, tmp_path / "whole", display)
    skips = [e for e in events(tmp_path / "whole") if e["event"] == "skip"]
    assert [e["loss_scale"] for e in skips[:3]] == [2.0**29, 2.0**28, 2.0**27]
    assert "the loss scale is now 5.36871e+08" in display.text
    # An overflow is the method at work and no failure, however many there are.
    assert len(skips) > RunConfig().max_skipped
    assert told(tmp_path / "whole", "rollback") == []
    # It settles, and is doubled again after every three good updates, which is too much here.
    done = told(tmp_path / "whole", "update")
    assert any(e["step"] > done[0] for e in skips)
    for kill in (done[0], done[len(done) // 2]):
        directory = tmp_path / str(kill)
        with pytest.raises(Crash):
            run(config, directory, At(kill, crash))
        run(config, directory)
        assert differences(tmp_path / "whole", directory) == []


def test_rollbacks_are_in_a_row_until_an_update_and_a_checkpoint_have_succeeded():
    guard = Guard(RunConfig(max_skipped=1, max_rollbacks=2))
    assert [guard.failed(), guard.failed()] == [False, True]
    assert guard.roll_back("x") == 0.5
    guard.saved()  # what a rollback led to is no progress
    assert guard.roll_back("x") == 0.25
    guard.passed()
    guard.saved()
    assert guard.roll_back("x") == 0.5
    guard.passed()
    assert guard.roll_back("x") == 0.25
    with pytest.raises(DivergenceError):
        guard.roll_back("x")
