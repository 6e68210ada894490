"""What TensorBoard sees of a run, also of one that was killed and resumed."""

from __future__ import annotations

import sys

import pytest
from whole_runs import At, Crash, changed, course, crash

from ferryman_training.errors import ConfigError
from ferryman_training.replicas import Replicas
from ferryman_training.reporting import Reporter
from ferryman_training.scalars import Scalars
from ferryman_training.trainer import train

pytest.importorskip("tensorboard", reason="the extra [tensorboard] is not installed")


def watched(config, directory, display=None) -> None:
    scalars = Scalars(directory)
    display = display or At()
    reporter = Reporter(config, display, log=directory / "log.jsonl", scalars=scalars)
    try:
        train(config, directory, reporter=reporter, replicas=Replicas())
    finally:
        scalars.close()


def seen(directory) -> dict[str, dict[int, float]]:
    """Return every scalar as TensorBoard itself reads it, by its tag and step."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(directory / "tensorboard"))
    events.Reload()
    return {
        tag: {event.step: event.value for event in events.Scalars(tag)}
        for tag in events.Tags()["scalars"]
    }


def test_tensorboard_sees_what_the_log_says_and_what_was_done_again_once(document, tmp_path):
    config = changed(document, run={"log_every": 1, "checkpoint_every": 4})
    with pytest.raises(Crash):
        watched(config, tmp_path, At(7, crash))
    watched(config, tmp_path)
    found, logged = seen(tmp_path), course(tmp_path)
    assert set(found["training/loss"]) == set(range(1, 13))
    assert set(found["validation/bleu"]) == {6, 12}
    for (event, step), told in logged.items():
        group = {"update": "training", "validation": "validation"}[event]
        assert found[f"{group}/loss"][step] == pytest.approx(told["loss"], rel=1e-6)
    for name in ("learning_rate", "gradient_norm", "tokens_per_second"):
        assert len(found[f"training/{name}"]) == 12


def test_without_tensorboard_the_setting_is_a_clear_error(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(ConfigError, match=r"run.tensorboard: .* 'ferryman\[tensorboard\]'"):
        Scalars(tmp_path)
    assert list(tmp_path.iterdir()) == []
