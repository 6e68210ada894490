"""Which checkpoints of a run stay, which is the best, and what a killed process leaves."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ferryman_training.errors import CheckpointError
from ferryman_training.progress import Progress
from ferryman_training.run_config import RunConfig
from ferryman_training.run_directory import RunDirectory, ranked


def add(
    run: Path, step: int, bleu: float | None, config: RunConfig, *, fails: bool = False
) -> None:
    """Add a checkpoint, validated at its step if there is a score."""

    def fill(directory: Path) -> None:
        scores = {"bleu": bleu or 0.0, "loss": -(bleu or 0.0)}
        Progress(step, scores=scores, validated=step if bleu is not None else 1).save(directory)
        for name in ("model.safetensors", "resume.pt"):
            (directory / name).write_text(str(step), "utf-8")
        if fails:
            raise OSError(28, "No space left on device")

    RunDirectory(run).add(step, fill, config=config)


def steps(run: Path) -> list[int]:
    return [int(path.name.removeprefix("step-")) for path in RunDirectory(run).checkpoints()]


@given(
    scores=st.lists(st.none() | st.integers(0, 5), min_size=1, max_size=8),
    keep_last=st.integers(1, 3),
    keep_best=st.integers(1, 3),
)
def test_the_newest_and_the_best_stay(tmp_path_factory, scores, keep_last, keep_best):
    run = tmp_path_factory.mktemp("run")
    config = RunConfig(keep_last=keep_last, keep_best=keep_best)
    for number, score in enumerate(scores):
        add(run, 10 * number + 2, score, config)
    every = [10 * number + 2 for number in range(len(scores))]
    validated = [(-s, step) for s, step in zip(scores, every, strict=True) if s is not None]
    best = [step for _, step in sorted(validated)]
    assert steps(run) == sorted({*every[-keep_last:], *best[:keep_best]})
    assert [p.parent.name for p in run.glob("checkpoints/*/resume.pt")] == [
        RunDirectory(run).newest.name
    ]
    assert not best or Progress.load(run / "best").step == best[0]
    assert not list(run.rglob(".*"))


def test_the_best_is_that_of_the_metric(tmp_path):
    for step, bleu in ((2, 5.0), (4, 9.0), (6, 1.0)):
        add(tmp_path, step, bleu, RunConfig(metric="loss", keep_last=9))
    assert Progress.load(tmp_path / "best").step == 4
    paths = RunDirectory(tmp_path).checkpoints()
    assert [path.name[-1] for path in ranked(paths, "loss")] == ["4", "2", "6"]


def test_a_checkpoint_that_fails_leaves_all_as_it_was(tmp_path):
    config = RunConfig()
    add(tmp_path, 2, 1.0, config)
    with pytest.raises(CheckpointError, match=r"step-00000004: could not be written \(No space"):
        add(tmp_path, 4, 2.0, config, fails=True)
    assert steps(tmp_path) == [2]
    assert (RunDirectory(tmp_path).newest / "resume.pt").exists()
    assert not list(tmp_path.rglob(".*"))


def test_what_killed_processes_left_is_not_seen_and_is_removed(tmp_path):
    config = RunConfig()
    add(tmp_path, 2, 1.0, config)
    folder = tmp_path / "checkpoints"
    for name in (".step-00000004.partial", ".step-00000001.discarded"):
        (folder / name).mkdir()
        (folder / name / "model.safetensors").touch()
    (tmp_path / ".config.toml.partial").touch()
    (tmp_path / ".best.partial").symlink_to(folder / "step-00000002")
    (tmp_path / "best").unlink()
    (folder / "notes").mkdir()
    assert steps(tmp_path) == [2]
    RunDirectory(tmp_path).tidy(config)
    assert {path.name for path in folder.iterdir()} == {"notes", "step-00000002"}
    assert {path.name for path in tmp_path.iterdir()} == {"best", "checkpoints"}
    assert Progress.load(tmp_path / "best").step == 2


def test_where_no_run_was_begun_there_is_nothing(tmp_path):
    run = RunDirectory(tmp_path / "none")
    assert (run.checkpoints(), run.newest) == ([], None)
    run.tidy(RunConfig())
