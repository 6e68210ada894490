"""Whole runs: resumed = never stopped, two processes = one, nothing overwritten."""

from __future__ import annotations

import io
import json
import os
import signal
from pathlib import Path

import pytest
import safetensors.torch
import torch
from rich.console import Console

from ferryman_training.checkpoint import Checkpoint
from ferryman_training.config import TrainingConfig, parse_config
from ferryman_training.display import PlainDisplay
from ferryman_training.errors import CheckpointError, CorpusError, DivergenceError
from ferryman_training.replicas import Replicas
from ferryman_training.reporting import Reporter
from ferryman_training.trainer import train


class Crash(BaseException):
    """The process ends, as far as the trainer can tell."""


class At:
    """A display that does something when a step is done."""

    def __init__(self, step: int, action) -> None:
        self._step = step
        self._action = action
        self._plain = PlainDisplay(Console(file=io.StringIO()))

    def __getattr__(self, name):
        return getattr(self._plain, name)

    def reading(self, reading, *, logged):
        if reading.step == self._step:
            self._action()


def crash():
    raise Crash


def ask_to_stop():
    os.kill(os.getpid(), signal.SIGTERM)


def run(config: TrainingConfig, directory: Path, display=None):
    display = display or At(0, crash)
    reporter = Reporter(config, display, log=directory / "log.jsonl")
    return train(config, directory, reporter=reporter, replicas=Replicas())


def changed(document: dict, **sections: dict) -> TrainingConfig:
    merged = {
        key: value | sections.get(key, {}) if isinstance(value, dict) else value
        for key, value in document.items()
    }
    return parse_config(merged, folder=Path(), origin="test")


def losses(directory: Path) -> dict[int, dict]:
    """Return what the log says of each step, times left out; later lines replace earlier ones."""
    events = [json.loads(x) for x in (directory / "log.jsonl").read_text("utf-8").splitlines()]
    timed = {"time", "tokens_per_second", "seconds"}
    return {
        (e["event"], e["step"]): {k: v for k, v in e.items() if k not in timed}
        for e in events
        if e["event"] in ("update", "validation")
    }


def same_file(first: Path, second: Path, name: str) -> bool:
    return (first / name).read_bytes() == (second / name).read_bytes()


@pytest.fixture(scope="module", params=["bfloat16-muon", "float32-adamw"])
def variant(request, pristine_document) -> TrainingConfig:
    precision, kind = request.param.split("-")
    return changed(pristine_document, run={"precision": precision}, optimizer={"kind": kind})


@pytest.fixture(scope="module")
def uninterrupted(variant, tmp_path_factory) -> Path:
    directory = tmp_path_factory.mktemp("uninterrupted")
    run(variant, directory)
    return directory


@pytest.mark.parametrize("step", [1, 7, 11])
def test_a_run_that_is_killed_and_resumed_is_bit_identical(variant, uninterrupted, tmp_path, step):
    directory = tmp_path / "killed"
    with pytest.raises(Crash):
        run(variant, directory, At(step, crash))
    assert run(variant, directory).step == 12
    for name in ("model.safetensors", "tokenizer.model", "progress.json", "config.toml"):
        assert same_file(uninterrupted, directory, name), name
    assert losses(uninterrupted) == losses(directory)


@pytest.mark.parametrize("step", [6, 12])
def test_a_run_that_is_asked_to_stop_saves_and_goes_on_bit_identically(
    variant, uninterrupted, tmp_path, step
):
    directory = tmp_path / "stopped"
    stopped = run(variant, directory, At(step, ask_to_stop))
    assert stopped.step == Checkpoint.load(directory).progress.step == step
    assert run(variant, directory).step == 12
    assert same_file(uninterrupted, directory, "model.safetensors")
    assert same_file(uninterrupted, directory, "progress.json")
    assert losses(uninterrupted) == losses(directory)


def test_a_stopped_run_says_how_to_go_on_and_a_second_stop_is_still_possible(config, tmp_path):
    file = io.StringIO()
    display = At(2, ask_to_stop)
    display._plain = PlainDisplay(Console(file=file, width=200))
    run(config, tmp_path, display)
    assert "Stopped after step 2 of 12" in file.getvalue()
    assert "Run the same command again" in file.getvalue()
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    assert run(config, tmp_path, At(4, ask_to_stop)).step == 4


def test_a_finished_run_is_left_alone(config, tmp_path):
    run(config, tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert run(config, tmp_path).step == 12
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_a_finished_run_goes_on_when_its_end_is_moved(document, tmp_path):
    run(changed(document), tmp_path)
    longer = changed(document, run={"steps": 16})
    assert run(longer, tmp_path).step == 16
    checkpoint = Checkpoint.load(tmp_path)
    assert checkpoint.config.run.steps == checkpoint.progress.step == 16
    saved = torch.load(tmp_path / "resume.pt", weights_only=True)
    assert saved["average"]["steps"] == [14, 16]


def test_the_result_is_the_average_and_the_masters_go_on_unaveraged(config, tmp_path):
    run(config, tmp_path)
    weights = safetensors.torch.load_file(tmp_path / "model.safetensors")
    saved = torch.load(tmp_path / "resume.pt", weights_only=True)
    assert saved["average"]["steps"] == [8, 10, 12]
    for name, weight in weights.items():
        assert weight.dtype == torch.float32
        assert torch.equal(weight, saved["average"]["sum"][name] / 3)
    assert any(not torch.equal(weights[n], w) for n, w in saved["optimizer"]["master"].items())


def test_epochs_and_tokens_are_counted(document, tmp_path):
    config = changed(document, corpus={"placeholder_share": 0.0})
    progress = run(config, tmp_path)
    pairs = config.corpus.train[0].path.read_text("utf-8").splitlines()
    # A letter with its space is a token or two; an epoch trains on every pair once.
    logged = [json.loads(x) for x in (tmp_path / "log.jsonl").read_text("utf-8").splitlines()]
    corpus = next(e for e in logged if e["event"] == "corpus")
    assert corpus["kept"] == len(pairs)
    updates = {e["epoch"] for e in logged if e["event"] == "update"}
    assert progress.epoch == max(updates) > 0
    whole_epochs = progress.epoch
    assert whole_epochs * corpus["target_tokens"] < progress.target_tokens
    assert progress.target_tokens <= (whole_epochs + 1) * corpus["target_tokens"]


def test_another_run_in_the_directory_is_refused_and_nothing_changes(document, tmp_path):
    run(changed(document), tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(CheckpointError, match=r"model.width: 16 there, 32 here"):
        run(changed(document, model={"width": 32}, run={"steps": 20}), tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_a_run_does_not_go_on_with_another_corpus(document, tmp_path, corpus):
    run(changed(document), tmp_path / "run")
    other = tmp_path / "other.tsv"
    other.write_text((corpus / "train.tsv").read_text("utf-8") + "a b\tb a\n", "utf-8")
    config = changed(document, corpus={"train": str(other)}, run={"steps": 20})
    with pytest.raises(CheckpointError, match="not the corpus that this run began with"):
        run(config, tmp_path / "run")
    same = tmp_path / "moved.tsv"
    same.write_bytes((corpus / "train.tsv").read_bytes())
    assert run(
        changed(document, corpus={"train": str(same)}, run={"steps": 13}), tmp_path / "run"
    ).step == 13  # fmt: skip


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"vocabulary": {"size": 2000}}, r"vocabulary.size: this corpus fills \d+ pieces at most"),
        ({"corpus": {"max_tokens": 1}}, "no pair is left"),
    ],
)
def test_a_run_that_cannot_begin_leaves_no_checkpoint(document, tmp_path, sections, message):
    with pytest.raises(CorpusError, match=message):
        run(changed(document, **sections), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} <= {".lock", "cache"}
    run(changed(document), tmp_path)  # the mistake put right, the same directory serves


def test_a_run_that_diverges_keeps_its_last_checkpoint(document, tmp_path, monkeypatch):
    config = changed(document)

    def poison():
        monkeypatch.setattr("ferryman_training.learner.learning_rate", lambda *_: float("nan"))

    with pytest.raises(DivergenceError):
        run(config, tmp_path, At(7, poison))
    weights = Checkpoint.load(tmp_path).weights
    assert all(bool(weight.isfinite().all()) for weight in weights.values())
    monkeypatch.undo()
    assert run(config, tmp_path).step == 12


def test_it_learns(document, tmp_path):
    config = changed(
        document,
        optimizer={"learning_rate": 0.01},
        run={"steps": 40, "validate_every": 40, "checkpoint_every": 40},
    )
    run(config, tmp_path)
    updates = [v["loss"] for (event, _), v in sorted(losses(tmp_path).items()) if event == "update"]
    assert updates[-1] < updates[0] / 2
