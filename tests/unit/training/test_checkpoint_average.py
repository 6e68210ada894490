"""`ferryman average`: the mean of checkpoints, and what cannot be averaged."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from ferryman_training.checkpoint import Checkpoint
from ferryman_training.checkpoint_average import average_checkpoints
from ferryman_training.commands.average import app
from ferryman_training.progress import Progress
from ferryman_training.run_directory import RunDirectory
from ferryman_training.seq2seq import build_model

SCORES = {10: 3.0, 20: 9.0, 30: 5.0, 40: None}
"""BLEU of the checkpoints of a run, by step; the last one was not validated."""


@pytest.fixture
def checkpoint(config, tokenizer) -> Checkpoint:
    torch.manual_seed(1)
    model = build_model(config.model, tokenizer.vocabulary_size)
    return Checkpoint(config, tokenizer, model.state_dict(), Progress())


@pytest.fixture
def run(checkpoint, config, tmp_path) -> Path:
    """A run with the four checkpoints of `SCORES`; all weights are the step they are of."""
    directory = tmp_path / "run"
    kept = config.run.model_copy(update={"keep_last": 9})
    for step, bleu in SCORES.items():
        scored = Progress(step, scores={"bleu": bleu or 0.0}, validated=step if bleu else 0)
        constant = {n: torch.full_like(w, float(step)) for n, w in checkpoint.weights.items()}
        made = replace(checkpoint, weights=constant, progress=scored)
        RunDirectory(directory).add(step, made.fill, config=kept)
    return directory


def average(*arguments: object):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def values(directory: Path) -> set[float]:
    weights = Checkpoint.load(directory).weights
    assert all(weight.dtype == torch.float32 for weight in weights.values())
    return {value for weight in weights.values() for value in weight.unique().tolist()}


@pytest.mark.parametrize(
    ("options", "mean"),
    [
        (["--best", 2], 25.0),
        (["--last", 3], 30.0),
        (["--best", 1], 20.0),
        ([], 25.0),
    ],
)
def test_the_weights_are_the_mean_of_the_best_the_last_or_all(run, tmp_path, options, mean):
    result = average(run, "-o", tmp_path / "mean", *options)
    assert result.exit_code == 0, result.output
    assert values(tmp_path / "mean") == {mean}
    Checkpoint.load(tmp_path / "mean").model()


def test_it_says_what_it_was_made_of(run, tmp_path):
    average(run, "-o", tmp_path / "mean", "--best", 2)
    progress = Checkpoint.load(tmp_path / "mean").progress
    assert progress.averaged == ("run/step-00000020", "run/step-00000030")
    assert (progress.step, progress.scores, progress.own_scores) == (30, {}, {})


def test_checkpoints_can_be_named_one_by_one_and_runs_joined(run, checkpoint, tmp_path):
    single = tmp_path / "single"
    ones = {name: torch.ones_like(weight) for name, weight in checkpoint.weights.items()}
    replace(checkpoint, weights=ones).save(single)
    assert average(run / "best", single, "-o", tmp_path / "two").exit_code == 0
    assert values(tmp_path / "two") == {10.5}
    assert average(run, single, "--last", 2, "-o", tmp_path / "last").exit_code == 0
    assert values(tmp_path / "last") == {35.0}


def test_sums_do_not_round(checkpoint, tmp_path):
    # In float32, 1e8 + 1 is 1e8.
    for name, value in (("a", 1e8), ("b", 1.0), ("c", -1e8)):
        filled = {n: torch.full_like(w, value) for n, w in checkpoint.weights.items()}
        replace(checkpoint, weights=filled).save(tmp_path / name)
    mean = average_checkpoints([tmp_path / name for name in "abc"])
    assert all(bool((w == torch.tensor(1 / 3)).all()) for w in mean.weights.values())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--best", 4], "only 3 of 4 checkpoints were validated; run.keep_best"),
        (["--best", 1, "--metric", "chrf"], "only 0 of 4"),
        (["--last", 5], "there are only 4 checkpoints; run.keep_last"),
    ],
)
def test_too_few_are_a_clear_error(run, tmp_path, options, message):
    result = average(run, "-o", tmp_path / "mean", *options)
    assert result.exit_code == 1
    assert message in result.stderr
    assert not (tmp_path / "mean").exists()


def test_best_and_last_exclude_each_other(run, tmp_path):
    result = average(run, "-o", tmp_path / "mean", "--best", 1, "--last", 1)
    assert result.exit_code == 2


def test_models_and_vocabularies_that_differ_are_not_averaged(run, checkpoint, config, tmp_path):
    wide = config.model_copy(update={"model": config.model.model_copy(update={"width": 32})})
    model = build_model(wide.model, checkpoint.tokenizer.vocabulary_size)
    replace(checkpoint, config=wide, weights=model.state_dict()).save(tmp_path / "wide")
    result = average(run, tmp_path / "wide", "-o", tmp_path / "mean")
    assert (result.exit_code, "is another model" in result.stderr) == (1, True)

    other = tmp_path / "other"
    checkpoint.save(other)
    # Comments after the model are no part of it, so this is still a tokenizer, but another one.
    with (other / "tokenizer.model").open("ab") as file:
        file.write(b"\xfa\x3e\x00")
    result = average(run, other, "-o", tmp_path / "mean")
    assert (result.exit_code, "has another vocabulary" in result.stderr) == (1, True)


def test_nothing_is_overwritten_and_nothing_is_no_run(run, tmp_path):
    before = (RunDirectory(run).newest / "model.safetensors").read_bytes()
    result = average(run, "-o", run)
    assert (result.exit_code, "is there already" in result.stderr) == (1, True)
    assert (RunDirectory(run).newest / "model.safetensors").read_bytes() == before
    result = average(tmp_path / "none", "-o", tmp_path / "mean")
    assert (result.exit_code, "holds no checkpoint" in result.stderr) == (1, True)
