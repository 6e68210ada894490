"""`ferryman plot`: what is read from a log, and what is drawn of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner
from whole_runs import At, Crash, crash, events, run

from ferryman_training.chart import draw
from ferryman_training.commands.plot import app
from ferryman_training.errors import CheckpointError
from ferryman_training.history import read_history


def write_log(directory: Path, *lines: dict | str) -> Path:
    directory.mkdir(exist_ok=True)
    text = "".join((x if isinstance(x, str) else json.dumps(x)) + "\n" for x in lines)
    (directory / "log.jsonl").write_text(text, "utf-8")
    return directory


def start(step: int) -> dict:
    return {"event": "start", "step": step}


def update(step: int, loss: float, rate: float = 0.1) -> dict:
    return {"event": "update", "step": step, "loss": loss, "learning_rate": rate}


def validation(step: int, bleu: float) -> dict:
    return {"event": "validation", "step": step, "loss": 1.0, "bleu": bleu, "chrf": 2 * bleu}


@pytest.fixture
def directory(tmp_path) -> Path:
    """The log of a run that was killed after step 6 and resumed from step 4."""
    return write_log(
        tmp_path / "first",
        start(0),
        update(2, 9.0),
        update(4, 8.0),
        validation(4, 1.0),
        update(6, 99.0),
        {"event": "skip", "step": 6, "reason": "x", "loss_scale": None},
        '{"event": "upd',
        start(4),
        {"event": "skip", "step": 5, "reason": "x", "loss_scale": None},
        update(6, 7.0),
        {"event": "rollback", "step": 7, "to": 4, "factor": 0.5},
        validation(8, 3.0),
    )


def test_what_was_done_again_counts_once_and_half_lines_do_not(directory):
    found = read_history(directory)
    assert found.name == "first"
    assert (found.updates["loss"].steps, found.updates["loss"].values) == ([2, 4, 6], [9, 8, 7])
    assert found.validations["bleu"].values == [1.0, 3.0]
    assert (found.skipped, found.rollbacks) == ([5], [7])


def test_the_log_of_a_real_run_is_read_as_it_was_written(config, tmp_path):
    with pytest.raises(Crash):
        run(config, tmp_path, At(8, crash))
    run(config, tmp_path)
    found = read_history(tmp_path)
    assert found.updates["loss"].steps == [3, 6, 9, 12]
    last = [e for e in events(tmp_path) if e["event"] == "update"][-1]
    assert found.updates["learning_rate"].values[-1] == last["learning_rate"]
    assert found.validations["chrf"].steps == [6, 12]


def drawn(axes) -> dict[str, tuple[list, list]]:
    """Return the lines of a panel by their labels."""
    return {
        line.get_label(): (list(line.get_xdata()), list(line.get_ydata()))
        for line in axes.get_lines()
        if not line.get_label().startswith("_")
    }


def test_loss_rate_and_bleu_are_drawn_and_labelled(directory):
    losses, rates, scores = draw([read_history(directory)]).axes
    assert drawn(losses)["training"] == ([2, 4, 6], [9.0, 8.0, 7.0])
    assert drawn(losses)["validation"] == ([4, 8], [1.0, 1.0])
    assert drawn(losses)["skipped"][0] == [5]
    assert drawn(rates)["first"] == ([2, 4, 6], [0.1, 0.1, 0.1])
    assert drawn(scores) == {"BLEU": ([4, 8], [1.0, 3.0]), "chrF": ([4, 8], [2.0, 6.0])}
    assert all(axes.get_ylabel() for axes in (losses, rates, scores))
    assert scores.get_xlabel() == "Updates"


def test_several_runs_are_told_apart_by_name_and_colour(directory, tmp_path):
    second = write_log(tmp_path / "second", start(0), update(3, 5.0))
    losses, rates, _ = draw([read_history(directory), read_history(second)]).axes
    assert {"first, training", "first, validation", "second, training"} <= drawn(losses).keys()
    assert {line.get_label() for line in rates.get_lines()} == {"first", "second"}
    assert len({line.get_color() for line in rates.get_lines()}) == 2


@pytest.mark.parametrize(("name", "magic"), [("a.png", b"\x89PNG"), ("a.pdf", b"%PDF")])
def test_the_verb_writes_the_figure(directory, tmp_path, name, magic):
    result = CliRunner().invoke(app, [str(directory), "-o", str(tmp_path / name)])
    assert result.exit_code == 0, result.output
    assert (tmp_path / name).read_bytes().startswith(magic)


@pytest.mark.parametrize(
    ("run_name", "figure", "message"),
    [
        ("none", "a.png", "log.jsonl: cannot be read (No such file or directory)"),
        ("begun", "a.png", "there is no update in it yet"),
        ("first", "a.docx", "a.docx: Format 'docx' is not supported"),
        ("first", "none/a.png", "a.png: could not be written (No such file or directory)"),
    ],
)
def test_what_cannot_be_drawn_is_a_clear_error(directory, tmp_path, run_name, figure, message):
    write_log(tmp_path / "begun", start(0))
    result = CliRunner().invoke(app, [str(tmp_path / run_name), "-o", str(tmp_path / figure)])
    assert result.exit_code == 1
    assert message in result.stderr
    assert not (tmp_path / figure).exists()


def test_a_log_without_updates_is_an_error(tmp_path):
    with pytest.raises(CheckpointError, match="no update"):
        read_history(write_log(tmp_path / "x", start(0)))
