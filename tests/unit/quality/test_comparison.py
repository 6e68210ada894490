"""Resampling against slow twins that score texts, and against sacreBLEU's own tests."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sacrebleu.significance import PairedTest

from ferryman_quality import (
    Metric,
    Segments,
    bootstrap_interval,
    compare,
    randomisation_p_value,
    score,
)
from ferryman_quality import draws as draws_module
from ferryman_quality.comparison import paired_bootstrap

SACREBLEU_NAMES = dict(zip(Metric, ("BLEU", "chrF2", "chrF2++", "TER"), strict=True))
ROUNDING = 1e-9
"""Twins add the same whole numbers, but divide in another order."""


def slow_bootstrap(metric, references, systems, *, samples, seed):
    """Score every drawn test set as texts; the scores of each system, (samples,) each."""
    size = (samples, len(references))
    rows = np.random.default_rng(seed).choice(len(references), size=size, replace=True)
    return [
        np.array(
            [
                score(metric, [system[i] for i in row], [references[i] for i in row]).value
                for row in rows
            ]
        )
        for system in systems
    ]


@pytest.mark.parametrize("metric", Metric)
def test_an_interval_is_that_of_texts_drawn_and_scored_one_by_one(metric, make_test_set):
    texts = make_test_set(14)
    [scores] = slow_bootstrap(metric, texts.references, [texts.good], samples=80, seed=5)
    segments = Segments.of(metric, texts.good, texts.references)
    interval = bootstrap_interval(segments, samples=80, seed=5)
    ordered = sorted(scores)
    assert interval.low == pytest.approx(ordered[2], abs=ROUNDING)
    assert interval.high == pytest.approx(ordered[77], abs=ROUNDING)


@pytest.mark.parametrize("metric", Metric)
def test_a_comparison_is_that_of_texts_drawn_and_scored_one_by_one(metric, make_test_set):
    texts = make_test_set(14, offset=1)
    baseline, candidate = slow_bootstrap(
        metric, texts.references, [texts.good, texts.bad], samples=80, seed=6
    )
    found = compare(texts.references, texts.good, texts.bad, metric=metric, samples=80, seed=6)
    delta = (
        score(metric, texts.bad, texts.references).value
        - score(metric, texts.good, texts.references).value
    )
    deltas = candidate - baseline
    sizes = abs(deltas) - abs(deltas).mean()
    assert found.delta == pytest.approx(delta, abs=ROUNDING)
    assert found.low == pytest.approx(sorted(deltas)[2], abs=ROUNDING)
    assert found.high == pytest.approx(sorted(deltas)[77], abs=ROUNDING)
    assert found.p_value == (sum(sizes >= abs(delta)) + 1) / 81


@pytest.mark.parametrize("metric", Metric)
def test_randomisation_is_that_of_texts_exchanged_and_scored(metric, make_test_set):
    texts = make_test_set(9, good=0.25, bad=0.3, offset=2)
    stays = np.random.default_rng(7).integers(2, size=(40, 9), dtype=bool)
    sizes = []
    for row in stays:
        first = [a if s else b for a, b, s in zip(texts.good, texts.bad, row, strict=True)]
        second = [b if s else a for a, b, s in zip(texts.good, texts.bad, row, strict=True)]
        one, other = (score(metric, side, texts.references).value for side in (first, second))
        sizes.append(abs(one - other))
    one, other = (score(metric, s, texts.references).value for s in (texts.good, texts.bad))
    p_value = (sum(np.array(sizes) >= abs(one - other) - ROUNDING) + 1) / 41
    segments = [Segments.of(metric, s, texts.references) for s in (texts.good, texts.bad)]
    assert randomisation_p_value(*segments, trials=40, seed=7) == p_value
    assert 1 / 41 < p_value < 1


def p_values_of_sacrebleu(texts, kind, samples):
    """Return what sacreBLEU's own test says, by metric."""
    paired = PairedTest(
        [("good", texts.good), ("bad", texts.bad)],
        {metric.value: metric.scorer() for metric in Metric},
        [texts.references],
        test_type=kind,
        n_samples=samples,
    )
    results = paired()[1]
    return {metric: results[name][1].p_value for metric, name in SACREBLEU_NAMES.items()}


def test_bootstrap_p_values_are_those_of_sacrebleu(make_test_set, monkeypatch):
    texts = make_test_set(100, good=0.28, bad=0.3, offset=3)
    monkeypatch.setenv("SACREBLEU_SEED", "99")
    for metric, expected in p_values_of_sacrebleu(texts, "bs", 1000).items():
        found = compare(texts.references, texts.good, texts.bad, metric=metric, seed=99)
        # sacreBLEU's single precision can move one resample over the edge.
        assert found.p_value == pytest.approx(expected, abs=0.0011)
        assert 0.003 < found.p_value < 1


def test_randomised_p_values_are_those_of_sacrebleu_and_count_ties(make_test_set, monkeypatch):
    texts = make_test_set(100, good=0.28, bad=0.3, offset=3)
    monkeypatch.setenv("SACREBLEU_SEED", "99")
    for metric, expected in p_values_of_sacrebleu(texts, "ar", 2000).items():
        segments = [Segments.of(metric, s, texts.references) for s in (texts.good, texts.bad)]
        found = randomisation_p_value(*segments, trials=2000, seed=99)
        if metric is Metric.TER:
            # It counts whole edits, so that many trials differ exactly as much as the systems.
            assert expected < found < expected + 0.05
        else:
            assert found == expected


def test_equal_systems_do_not_differ(test_set):
    for metric in Metric:
        segments = Segments.of(metric, test_set.good, test_set.references)
        same = paired_bootstrap(segments, segments)
        assert (same.delta, same.low, same.high, same.p_value) == (0, 0, 0, 1)
        assert randomisation_p_value(segments, segments, trials=50) == 1


def test_one_sentence_that_differs_is_no_evidence(test_set):
    changed = ["something else entirely", *test_set.good[1:]]
    segments = [Segments.of(Metric.BLEU, s, test_set.references) for s in (test_set.good, changed)]
    # Whichever way it is exchanged, the difference stays the same.
    assert randomisation_p_value(*segments, trials=100) == 1


def test_a_clear_difference_is_significant_and_has_its_sign(test_set):
    good, bad, references = test_set.good, test_set.bad, test_set.references
    worse, better = compare(references, good, bad), compare(references, bad, good)
    assert worse.low <= worse.delta <= worse.high < 0
    assert worse.p_value < 0.05
    assert (better.delta, better.low, better.high) == (-worse.delta, -worse.high, -worse.low)
    assert better.p_value == worse.p_value


def test_the_seed_decides_and_nothing_else(test_set):
    texts = (test_set.references, test_set.good, test_set.bad)
    assert compare(*texts, seed=1) == compare(*texts, seed=1)
    assert compare(*texts, seed=1) != compare(*texts, seed=2)


@given(sentences=st.integers(1, 40), draws=st.integers(1, 200), entries=st.integers(1, 3000))
def test_draws_are_the_same_however_many_come_at_a_time(sentences, draws, entries):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(draws_module, "_ENTRIES_AT_A_TIME", entries)
        counts = np.concatenate(list(draws_module.resampled(sentences, samples=draws, seed=3)))
        sides = np.concatenate(list(draws_module.exchanged(sentences, trials=draws, seed=3)))
    drawn = np.random.default_rng(3).choice(sentences, size=(draws, sentences), replace=True)
    expected = [np.bincount(row, minlength=sentences) for row in drawn]
    assert np.array_equal(counts, expected)
    bits = np.random.default_rng(3).integers(2, size=(draws, sentences), dtype=bool)
    assert np.array_equal(sides, ~bits)


def test_lengths_that_differ_are_refused():
    with pytest.raises(ValueError, match="1 translations of 2 references"):
        compare(["a", "b"], ["a", "b"], ["a"])
