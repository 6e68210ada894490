"""The engine's memory does not grow with what it has decoded, and we would notice if it did."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest

# The searches that the toys are held to live with them.
sys.path += [
    str(Path(__file__).parents[1] / "unit" / "server" / "engine"),
    str(Path(__file__).parent),
]
from soak import MEBIBYTE, Reading, jobs, slope, soak

from ferryman_server.engine import Engine
from ferryman_server.runtime import OnnxRuntime

MOST_GROWTH = MEBIBYTE
"""For each 10,000 sentences, in the second half of a run."""
QUEUE = 1 << 20
"""Source tokens: room for all that is submitted at a time."""


@pytest.fixture(scope="module")
def sources(pairs, bundle):
    return [tuple(bundle.tokenizer.encode(pair.source))[:60] for pair in pairs]


@pytest.mark.deep
@pytest.mark.parametrize("workers", [1, 2])
def test_memory_is_flat_over_50_000_sentences(bundle, sources, seed, workers):
    with Engine(OnnxRuntime(bundle), workers=workers, max_queued_tokens=QUEUE) as engine:
        readings = soak(engine, jobs(sources, seed=seed), sentences=50_000, readings=100)
        assert engine.statistics().completed > 49_000
    assert slope(readings) < MOST_GROWTH


class Hoarder(OnnxRuntime):
    """A runtime that keeps a little of everything that it ever encoded."""

    def encode(self, sources):
        outputs = super().encode(sources)
        self.hoard = [*getattr(self, "hoard", []), *(bytes(4096) for _ in sources)]
        return outputs


def test_a_leak_of_four_kibibytes_a_sentence_is_caught(bundle, sources, seed):
    with Engine(Hoarder(bundle), max_queued_tokens=QUEUE) as engine:
        readings = soak(engine, jobs(sources, seed=seed), sentences=3_000, readings=30)
    assert slope(readings) > 10 * MOST_GROWTH


def test_growth_that_ends_and_readings_that_are_off_are_no_leak():
    noise = random.Random(1)
    readings = [
        Reading(
            500 * number,
            100 * MEBIBYTE
            + min(number, 40) * MEBIBYTE
            + noise.randrange(4096)
            + (30 * MEBIBYTE if number in (60, 90) else 0),
        )
        for number in range(1, 101)
    ]
    assert abs(slope(readings)) < MOST_GROWTH / 100


def test_the_slope_is_that_of_a_line():
    readings = [Reading(500 * n, 7 * MEBIBYTE + n * 1000) for n in range(1, 101)]
    assert slope(readings) == pytest.approx(1000 / 500 * 10_000)
