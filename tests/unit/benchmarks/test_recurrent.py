"""The benchmark of recurrent models measures what it says, at a size of no meaning."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

from ferryman_training.checkpoint import Checkpoint, Progress
from ferryman_training.config import TrainingConfig
from ferryman_training.corpus import read_pairs
from ferryman_training.corpus_config import CorpusConfig, VocabularyConfig
from ferryman_training.model_config import RecurrentConfig
from ferryman_training.seq2seq import build_model
from ferryman_training.vocabulary import train_tokenizer

ROOT = Path(__file__).parents[3]
sys.path.append(str(ROOT))
from benchmarks.recurrent_measurement import BATCHES, measure  # noqa: E402

SAMPLE = ROOT / "tests" / "data" / "sample.en-fr.tsv"


@pytest.mark.deep
def test_agreement_quality_and_times_of_both_variants_are_found(seed):
    config = TrainingConfig(
        name="small",
        corpus=CorpusConfig(train=SAMPLE, valid=SAMPLE),
        vocabulary=VocabularyConfig(size=600),
        model=RecurrentConfig(cell="lstm", encoder_layers=1, decoder_layers=1, width=32),
    )
    pairs = read_pairs(SAMPLE)
    texts = [text for pair in pairs[:800] for text in (pair.source, pair.target)]
    tokenizer = train_tokenizer(texts, config.vocabulary, seed=seed)
    torch.manual_seed(seed)
    model = build_model(config.model, tokenizer.vocabulary_size)
    checkpoint = Checkpoint(config, tokenizer, dict(model.state_dict()), Progress())
    found = measure(checkpoint, pairs[:40], pairs[100:112], rounds=2)
    assert found.agreement["fp32"] == found.identity["fp32"] == 1.0
    assert 0.8 < found.agreement["int8"] <= 1.0
    assert found.low <= found.lost <= found.high
    assert [timing.batch for timing in found.timings] == list(BATCHES)
    for timing in found.timings:
        assert 0 < timing.int8.least <= timing.int8.median
        assert timing.fp32_ratio.least > 0
