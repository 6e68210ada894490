"""Whole runs: resumed = never stopped, two processes = one, nothing overwritten."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import pytest
import safetensors.torch
import torch
from whole_runs import (
    At,
    Crash,
    changed,
    contents,
    course,
    crash,
    differences,
    events,
    newest,
    run,
    same_bits,
    saved_state,
)

from ferryman_training.checkpoint import Checkpoint
from ferryman_training.config import TrainingConfig
from ferryman_training.errors import CheckpointError, CorpusError
from ferryman_training.run_directory import RunDirectory


def ask_to_stop():
    os.kill(os.getpid(), signal.SIGTERM)


VARIANTS = {
    "bfloat16-muon": {},
    "float32-adamw": {
        "run": {"precision": "float32", "average_decay": 0.9},
        "optimizer": {"kind": "adamw", "schedule": "cosine"},
    },
    "recurrent-bfloat16": {
        "model": {
            "family": "recurrent",
            "cell": "lstm",
            "width": 16,
            "attention": "bahdanau",
            "encoder_layers": 1,
            "decoder_layers": 2,
            "tied_embeddings": False,
        },
    },
    "float16-adafactor": {
        "run": {"precision": "float16", "metric": "loss"},
        "optimizer": {"kind": "adafactor", "schedule": "plateau", "plateau_patience": 1},
    },
    "guided-transformer": {
        "model": {
            "encoder_layers": 1,
            "decoder_layers": 2,
            "width": 16,
            "heads": 2,
            "feed_forward": 16,
            "norm": "post",
            "activation": "swiglu",
            "positions": "rotary",
            "tied_embeddings": "output",
            "aligned_head": {"layer": 0, "head": 1},
        },
        "alignment": {"passes": 2},
    },
    "recurrent-adam": {
        "model": {
            "family": "recurrent",
            "cell": "gru",
            "width": 16,
            "attention": "luong",
            "input_feeding": True,
            "encoder_layers": 1,
            "decoder_layers": 1,
        },
        "run": {"precision": "float32"},
        "optimizer": {
            "kind": "adam",
            "schedule": "inverse-sqrt",
            "truncate_targets": 3,
            "sampling": "linear",
            "sampling_halfway": 10,
        },
    },
    "autocast-sgd": {
        "run": {"autocast": True},
        "optimizer": {"kind": "sgd", "schedule": "noam", "clip_value": 0.1},
    },
}


@pytest.fixture(scope="module", params=VARIANTS)
def variant(request, pristine_document) -> TrainingConfig:
    return changed(pristine_document, **VARIANTS[request.param])


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
    assert differences(uninterrupted, directory) == []


@pytest.mark.parametrize("step", [6, 12])
def test_a_run_that_is_asked_to_stop_saves_and_goes_on_bit_identically(
    variant, uninterrupted, tmp_path, step
):
    directory = tmp_path / "stopped"
    stopped = run(variant, directory, At(step, ask_to_stop))
    assert stopped.step == Checkpoint.load(directory).progress.step == step
    assert run(variant, directory).step == 12
    assert differences(uninterrupted, directory) == []


def test_a_stopped_run_says_how_to_go_on_and_a_second_stop_is_still_possible(config, tmp_path):
    display = At(2, ask_to_stop)
    run(config, tmp_path, display)
    assert "Stopped after step 2 of 12" in display.text
    assert "Run the same command again" in display.text
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    assert run(config, tmp_path, At(4, ask_to_stop)).step == 4


def test_a_finished_run_is_left_alone(config, tmp_path):
    run(config, tmp_path)
    before = contents(tmp_path)
    again = run(config, tmp_path)
    assert (again.step, again.finished) == (12, True)
    assert contents(tmp_path) == before


def test_a_run_that_was_killed_right_after_its_end_is_put_in_order(config, tmp_path):
    run(config, tmp_path)
    before = contents(tmp_path)
    (tmp_path / "checkpoints" / ".step-00000010.discarded").mkdir()
    (tmp_path / "best").unlink()
    assert run(config, tmp_path).finished
    assert contents(tmp_path) == before
    assert (tmp_path / "best").is_symlink()
    assert not (tmp_path / "checkpoints" / ".step-00000010.discarded").exists()


def test_a_finished_run_goes_on_when_its_end_is_moved(document, tmp_path):
    run(changed(document), tmp_path)
    longer = changed(document, run={"steps": 16})
    assert run(longer, tmp_path).step == 16
    checkpoint = Checkpoint.load(tmp_path)
    assert checkpoint.config.run.steps == checkpoint.progress.step == 16
    assert saved_state(tmp_path)["average"]["steps"] == [14, 16]


def test_the_result_is_the_average_and_the_masters_go_on_unaveraged(config, tmp_path):
    run(config, tmp_path)
    weights = safetensors.torch.load_file(newest(tmp_path) / "model.safetensors")
    saved = saved_state(tmp_path)
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
    logged = events(tmp_path)
    corpus = next(e for e in logged if e["event"] == "corpus")
    assert corpus["kept"] == len(pairs)
    updates = {e["epoch"] for e in logged if e["event"] == "update"}
    assert progress.epoch == max(updates) > 0
    whole_epochs = progress.epoch
    assert whole_epochs * corpus["target_tokens"] < progress.target_tokens
    assert progress.target_tokens <= (whole_epochs + 1) * corpus["target_tokens"]


def test_another_run_in_the_directory_is_refused_and_nothing_changes(document, tmp_path):
    run(changed(document), tmp_path)
    before = contents(tmp_path)
    with pytest.raises(CheckpointError, match=r"model.width: 16 there, 32 here"):
        run(changed(document, model={"width": 32}, run={"steps": 20}), tmp_path)
    assert contents(tmp_path) == before


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


def test_it_learns(document, tmp_path):
    config = changed(
        document,
        optimizer={"learning_rate": 0.01},
        run={"steps": 40, "validate_every": 40, "checkpoint_every": 40},
    )
    run(config, tmp_path)
    updates = [v["loss"] for (event, _), v in sorted(course(tmp_path).items()) if event == "update"]
    assert updates[-1] < updates[0] / 2


def test_the_best_checkpoint_is_kept_apart_from_the_last(document, tmp_path):
    run(changed(document, run={"validate_every": 2, "metric": "loss", "keep_last": 2}), tmp_path)
    validations = [e for e in events(tmp_path) if e["event"] == "validation"]
    best = min(validations, key=lambda e: e["loss"])["step"]
    assert best != 12  # at the end the average of three points: it cannot be the best here
    found = Checkpoint.load(tmp_path / "best")
    assert found.progress.step == found.progress.validated == best
    assert {p.name for p in RunDirectory(tmp_path).checkpoints()} == {
        f"step-{step:08d}" for step in (best, 10, 12)
    }
    assert [p.name for p in (tmp_path / "checkpoints").glob("*/resume.pt")] == ["resume.pt"]
    assert (newest(tmp_path) / "resume.pt").exists()
    assert Checkpoint.load(tmp_path).progress.step == 12


def test_a_run_stops_early_when_validations_bring_nothing_and_goes_on_with_more_patience(
    document, tmp_path
):
    # With nothing learnt, no validation is better than the first.
    options = {"validate_every": 2, "stop_patience": 2, "average_decay": 0.5}
    still = {"learning_rate": 1e-30, "weight_decay": 0.0}
    config = changed(document, run=options, optimizer=still)
    display = At()
    stopped = run(config, tmp_path / "run", display)
    assert (stopped.step, stopped.finished) == (6, True)
    assert "Stopped early at step 6: 2 validations brought no better bleu" in display.text
    before = contents(tmp_path / "run")
    assert run(config, tmp_path / "run").finished
    assert contents(tmp_path / "run") == before

    with pytest.raises(Crash):
        run(config, tmp_path / "killed", At(5, crash))
    assert run(config, tmp_path / "killed").step == 6
    assert differences(tmp_path / "run", tmp_path / "killed") == []

    longer = changed(document, run=options | {"stop_patience": 3}, optimizer=still)
    assert run(longer, tmp_path / "run").step == 8


def test_a_moving_average_is_what_is_validated_and_saved(document, tmp_path):
    run(changed(document, run={"average_decay": 0.5}), tmp_path)
    weights = safetensors.torch.load_file(newest(tmp_path) / "model.safetensors")
    saved = saved_state(tmp_path)
    for name, weight in weights.items():
        assert torch.equal(weight, saved["average"]["mean"][name])
    assert saved["average"]["count"] == 12
    assert any(not torch.equal(weights[n], w) for n, w in saved["optimizer"]["master"].items())


def first_layout(directory: Path) -> None:
    """Rewrite the directory of a run as the first version of ferryman wrote it."""
    checkpoint = newest(directory)
    for path in checkpoint.iterdir():
        path.replace(directory / path.name)
    shutil.rmtree(checkpoint.parent)
    (directory / "best").unlink(missing_ok=True)
    state = torch.load(directory / "resume.pt", weights_only=True)
    del state["schedule"], state["loss_scale"], state["patience"]
    for name in ("finished", "validated", "averaged"):
        del state["progress"][name]
    torch.save(state, directory / "resume.pt")


def test_a_run_in_the_first_layout_is_read_and_goes_on(config, tmp_path):
    run(config, tmp_path / "whole")
    run(config, tmp_path / "run", At(7, ask_to_stop))
    first_layout(tmp_path / "run")
    assert Checkpoint.load(tmp_path / "run").progress.step == 7
    assert run(config, tmp_path / "run").step == 12
    # How long no validation was better was not kept at the time; all else is the same.
    assert differences(tmp_path / "whole", tmp_path / "run") == ["resume.pt"]
    ours, theirs = (saved_state(tmp_path / name) for name in ("run", "whole"))
    assert {key for key in ours if not same_bits(ours[key], theirs[key])} == {"patience"}
    assert {path.name for path in (tmp_path / "run").iterdir() if path.is_file()} == {
        ".lock", "config.toml", "corpus.json", "tokenizer.model", "log.jsonl",
    }  # fmt: skip
