"""Figures are sacreBLEU's, digit for digit and signature for signature."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
import sacrebleu

from ferryman_quality import Metric, Segments, bootstrap_interval, score

SACREBLEU_NAMES = dict(zip(Metric, ("BLEU", "chrF2", "chrF2++", "TER"), strict=True))


def sacrebleu_command(*arguments: object) -> str:
    """Return what sacreBLEU's own command prints."""
    environment = {k: v for k, v in os.environ.items() if k != "SACREBLEU_SEED"}
    finished = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "sacrebleu", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    return finished.stdout


def test_every_metric_is_that_of_the_sacrebleu_command(test_set, tmp_path):
    references, system = tmp_path / "references", tmp_path / "system"
    references.write_text("".join(f"{line}\n" for line in test_set.references), "utf-8")
    system.write_text("".join(f"{line}\n" for line in test_set.good), "utf-8")
    for word_order, metrics in ((0, Metric), (2, [Metric.CHRF_PLUS_PLUS])):
        printed = json.loads(
            sacrebleu_command(
                references, "-i", system, "-m", "bleu", "chrf", "ter", "-w", 9,
                "--chrf-word-order", word_order, "--confidence",
            )
        )  # fmt: skip
        theirs = {row["name"]: row for row in printed}
        for metric in metrics:
            name = SACREBLEU_NAMES[metric]
            if name not in theirs:
                continue
            ours = score(metric, test_set.good, test_set.references)
            assert ours.value == pytest.approx(theirs[name]["score"], abs=1e-8)
            signature = theirs[name]["signature"].replace("bs:1000|seed:12345|", "")
            assert ours.signature == signature
            interval = bootstrap_interval(Segments.of(metric, test_set.good, test_set.references))
            # sacreBLEU resamples in single precision.
            half = (interval.high - interval.low) / 2
            assert half == pytest.approx(theirs[name]["confidence_var"], abs=1e-4)
            assert interval.low < ours.value < interval.high


def test_all_four_metrics_are_distinct_and_neither_none_nor_all(test_set):
    values = [score(metric, test_set.good, test_set.references).value for metric in Metric]
    assert len({round(value, 3) for value in values}) == 4
    assert all(10 < value < 90 for value in values)


@pytest.mark.parametrize("metric", Metric)
def test_segments_add_up_to_the_very_score(metric, test_set):
    segments = Segments.of(metric, test_set.bad, test_set.references)
    assert len(segments) == 100
    assert segments.score() == score(metric, test_set.bad, test_set.references)


def test_the_defaults_are_those_of_sacrebleus_functions(test_set):
    streams = (test_set.good, [test_set.references])
    expected = {
        Metric.BLEU: sacrebleu.corpus_bleu(*streams).score,
        Metric.CHRF: sacrebleu.corpus_chrf(*streams).score,
        Metric.CHRF_PLUS_PLUS: sacrebleu.corpus_chrf(*streams, word_order=2).score,
        Metric.TER: sacrebleu.corpus_ter(*streams).score,
    }
    assert {m: score(m, test_set.good, test_set.references).value for m in Metric} == expected


def test_only_ter_falls_when_translations_become_better(test_set):
    for metric in Metric:
        good = score(metric, test_set.good, test_set.references).value
        bad = score(metric, test_set.bad, test_set.references).value
        assert (good < bad) == metric.falls


@pytest.mark.parametrize("measure", [score, Segments.of])
def test_an_uneven_or_empty_test_set_is_refused_not_cut(measure):
    with pytest.raises(ValueError, match="1 translations of 2 references"):
        measure(Metric.BLEU, ["a"], ["a", "b"])
    with pytest.raises(ValueError, match="nothing to score"):
        measure(Metric.BLEU, [], [])
