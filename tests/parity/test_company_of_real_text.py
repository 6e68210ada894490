"""The default model in bytes gives a real sentence the same ids and scores in any company.

Each sentence is decoded alone, and then all of them in shuffled batches of 2, 7 and 32. Scores are
compared as they are: bit for bit.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ferryman_bundle import Bundle
from ferryman_server.engine import Engine, Job, Search
from ferryman_server.runtime import OnnxRuntime, decoder
from ferryman_training.corpus import read_pairs

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "tests" / "data" / "sample.en-fr.tsv"
DEFAULT_MODEL = ROOT / "models" / "en-fr" / "ferryman_model_en_fr" / "bundle"
PATIENCE = 120
"""Seconds."""
COMPANIES = (2, 7, 32)
MOST_TOKENS = 64
"""Of a translation: what is longer takes longer, and shows nothing more."""


@pytest.fixture(scope="module")
def default_bundle():
    return Bundle.load(DEFAULT_MODEL)


@pytest.fixture(scope="module")
def engine(default_bundle):
    with Engine(OnnxRuntime(default_bundle, variant="int8")) as engine:
        yield engine


def jobs_of(bundle, count, beam_size):
    """Return jobs for so many real sentences, at even distances from the first to the last."""
    texts = [pair.source for pair in read_pairs(SAMPLE)]
    sources = [tuple(bundle.tokenizer.encode(texts[i * len(texts) // count])) for i in range(count)]
    search = Search(beam_size=beam_size, num_hypotheses=beam_size, max_tokens=MOST_TOKENS)
    return [Job(source=source, search=search) for source in sources]


def decode(engine, jobs):
    """Decode jobs together, when nothing else is under way."""
    return [future.result(PATIENCE).hypotheses for future in engine.submit(jobs)]


def check(engine, jobs, draw):
    alone = [decode(engine, [job])[0] for job in jobs]
    assert len({hypotheses[0].ids for hypotheses in alone}) > len(jobs) // 2
    for company in COMPANIES:
        order = draw.permutation(len(jobs)).tolist()
        for start in range(0, len(order), company):
            chosen = order[start : start + company]
            together = decode(engine, [jobs[i] for i in chosen])
            for i, found in zip(chosen, together, strict=True):
                assert found == alone[i], (company, jobs[i].source)


@pytest.mark.parametrize("beam_size", [1, 4])
def test_24_sentences_have_the_same_ids_and_scores_in_any_company(
    engine, default_bundle, draw, beam_size
):
    check(engine, jobs_of(default_bundle, 24, beam_size), draw)


@pytest.mark.deep
@pytest.mark.parametrize("beam_size", [1, 4])
def test_200_sentences_have_the_same_ids_and_scores_in_any_company(
    engine, default_bundle, draw, beam_size
):
    check(engine, jobs_of(default_bundle, 200, beam_size), draw)


def test_a_difference_in_the_last_place_is_noticed(engine, default_bundle, draw, monkeypatch):
    step = decoder.OnnxDecoder.step

    def step_by_company(self, candidates):
        log_probs, ids = step(self, candidates)
        return (log_probs if len(ids) < 7 else np.nextafter(log_probs, np.float32(-99))), ids

    monkeypatch.setattr(decoder.OnnxDecoder, "step", step_by_company)
    with pytest.raises(AssertionError):
        check(engine, jobs_of(default_bundle, 8, 1), draw)
