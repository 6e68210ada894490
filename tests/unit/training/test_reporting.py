"""Figures, the log, and what a person sees."""

from __future__ import annotations

import io
import json
import math
import re

import pytest
from rich.console import Console

from ferryman_training.batching import PlannedUpdate
from ferryman_training.display import LiveDisplay, PlainDisplay, duration
from ferryman_training.figures import Meter, Reading, perplexity
from ferryman_training.learner import UpdateFigures
from ferryman_training.reporting import Reporter
from ferryman_training.validation import Sample, Scores

SCORES = Scores(
    loss=2.0,
    bleu=31.4,
    chrf=52.7,
    samples=tuple(Sample(f"s{i}", f"t[b]{i}", f"r{i}") for i in "1234"),
)


def figures(loss: float, tokens: int = 10) -> UpdateFigures:
    return UpdateFigures(loss, tokens, learning_rate=1e-3, gradient_norm=0.5)


def planned(step: int) -> PlannedUpdate:
    return PlannedUpdate(step, 0, step, 20, [])


def plain() -> tuple[PlainDisplay, io.StringIO]:
    file = io.StringIO()
    return PlainDisplay(Console(file=file, width=40)), file


def events(path) -> list[dict]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_the_meter_weighs_losses_by_tokens_and_forgets_old_updates():
    meter = Meter(2)
    meter.add(tokens=1000, loss=9.0, seconds=50.0)
    meter.add(tokens=10, loss=1.0, seconds=1.0)
    meter.add(tokens=30, loss=2.0, seconds=3.0)
    assert meter.loss == (10 * 1.0 + 30 * 2.0) / 40
    assert meter.tokens_per_second == 10.0
    assert meter.seconds_per_update == 2.0


def test_losses_before_a_stop_count_but_their_pace_does_not():
    before, after = Meter(3), Meter(3)
    for meter in (before, after):
        meter.add(tokens=10, loss=1.0, seconds=100.0)
    resumed = Meter(3)
    resumed.restore(before.recent)
    for meter in (resumed, after):
        meter.add(tokens=10, loss=3.0, seconds=1.0)
    assert resumed.loss == after.loss == 2.0
    assert resumed.tokens_per_second == 10.0


@pytest.mark.parametrize("loss", [0.0, 2.5, 1e6])
def test_perplexity_is_the_exponential_of_the_loss_and_always_a_number(loss):
    assert perplexity(loss) == pytest.approx(math.exp(min(loss, 700)))


def test_the_time_left_counts_updates_and_validations(config, monkeypatch):
    shown: list[Reading] = []
    display, _ = plain()
    monkeypatch.setattr(
        PlainDisplay, "reading", lambda _, reading, *, logged: shown.append(reading)
    )
    reporter = Reporter(config, display, log=None)  # 12 updates, a validation every 6
    reporter.update(planned(1), figures(3.0), seconds=2.0)
    assert shown[-1].seconds_left == 11 * 2.0
    reporter.validated(6, SCORES, seconds=30.0)
    reporter.update(planned(7), figures(3.0), seconds=2.0)
    assert shown[-1].seconds_left == 5 * 2.0 + 30.0
    reporter.update(planned(12), figures(3.0), seconds=2.0)
    assert shown[-1].seconds_left == 30.0


def test_the_log_has_means_over_the_updates_since_the_last_line(config, tmp_path):
    display, file = plain()
    reporter = Reporter(config, display, log=tmp_path / "log.jsonl")
    for step in range(1, 8):
        reporter.update(planned(step), figures(float(step)), seconds=1.0)
    logged = events(tmp_path / "log.jsonl")
    assert [(e["event"], e["step"], e["loss"]) for e in logged] == [
        ("update", 3, 2.0),
        ("update", 6, 5.0),
    ]
    assert logged[0]["perplexity"] == pytest.approx(math.exp(2.0))
    assert file.getvalue().count("\n") == 2
    assert "perplexity 7.4" in file.getvalue()


def test_half_a_line_of_a_killed_process_does_not_spoil_the_next(config, tmp_path):
    log = tmp_path / "log.jsonl"
    log.write_text('{"event": "upd', "utf-8")
    Reporter(config, plain()[0], log=log).saved(5)
    first, second = log.read_text("utf-8").splitlines()
    assert first == '{"event": "upd'
    assert json.loads(second)["event"] == "checkpoint"


def test_a_validation_shows_and_logs_scores_and_three_samples(config, tmp_path):
    display, file = plain()
    Reporter(config, display, log=tmp_path / "log.jsonl").validated(6, SCORES, seconds=1.0)
    [event] = events(tmp_path / "log.jsonl")
    assert (event["bleu"], event["chrf"], event["loss"]) == (31.4, 52.7, 2.0)
    assert [s["translation"] for s in event["samples"]] == ["t[b]1", "t[b]2", "t[b]3"]
    text = file.getvalue()
    assert "BLEU 31.4  chrF 52.7" in text
    assert "t[b]3" in text  # no markup is read out of a translation
    assert "t[b]4" not in text


def test_without_a_log_nothing_is_written(config, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Reporter(config, plain()[0], log=None).saved(5)
    assert list(tmp_path.iterdir()) == []


def test_the_live_picture_shows_everything_a_person_wants_to_know():
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=100, legacy_windows=False)
    reading = Reading(
        step=2150, steps=5600, epoch=4, epoch_share=0.12, loss=2.413, tokens_per_second=7402.0,
        learning_rate=3e-3, gradient_norm=0.84, seconds_left=3700.0,
    )  # fmt: skip
    with LiveDisplay(console, "en-[fr]") as display:
        display.reading(reading, logged=False)
        display.scores(1600, SCORES, SCORES.samples[:1])
        display.phase("validating")
        console.print(display._render())
    text = strip_escapes(file.getvalue())
    for part in (
        "en-[fr]", "2,150/5,600", "1 h 1 min left", "loss 2.413", "perplexity 11.2",
        "7,402 tokens/s", "epoch 4 (12%)", "BLEU 31.4", "chrF 52.7", "rate 3.00e-03",
        "gradient 0.84", "validating ...", "t[b]1", "step 1,600",
    ):  # fmt: skip
        assert part in text, part


def strip_escapes(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", text)


def test_the_second_validation_shows_the_gain():
    file = io.StringIO()
    with LiveDisplay(Console(file=file, force_terminal=True, width=100), "x") as display:
        display.scores(1, SCORES, [])
        display.scores(2, Scores(2.0, 30.0, 50.0, ()), [])
    assert "BLEU 30.0 (-1.4)" in strip_escapes(file.getvalue())


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (59.4, "59 s"), (59.6, "1 min 0 s"), (3600, "1 h 0 min"), (90_000, "1 d 1 h")],
)
def test_durations_read_as_people_say_them(seconds, text):
    assert duration(seconds) == text
