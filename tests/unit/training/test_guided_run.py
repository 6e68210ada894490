"""A whole run of a model with an aligned head."""

from __future__ import annotations

import pytest
from whole_runs import changed, events, run

from ferryman_training.batching import tokenize
from ferryman_training.checkpoint import Checkpoint
from ferryman_training.corpus import read_pairs
from ferryman_training.guided_alignment import measure_agreement
from ferryman_training.lexicon_store import LEXICON, load_lexicon
from ferryman_training.links import WordLinker


@pytest.fixture(scope="module")
def guided(pristine_document, tmp_path_factory):
    """A run that learns to look, and little else: most of its loss is that of the alignment."""
    config = changed(
        pristine_document,
        model={
            "width": 32,
            "heads": 2,
            "dropout": 0.0,
            "aligned_head": {"layer": 0, "head": 1},
        },
        alignment={"weight": 2.0},
        optimizer={"kind": "muon", "learning_rate": 0.02},
        run={"steps": 60, "validate_every": 20, "checkpoint_every": 60, "precision": "float32"},
    )
    directory = tmp_path_factory.mktemp("guided")
    return directory, run(config, directory)


def test_validation_tells_the_alignment_error_rate_and_it_falls(guided):
    directory, progress = guided
    told = [e for e in events(directory) if e["event"] == "validation"]
    rates = [e["alignment_error_rate"] for e in told]
    assert len(rates) == 3
    assert progress.scores["alignment_error_rate"] == rates[-1]
    assert rates[-1] < rates[0] - 0.1


def test_the_rate_is_that_of_the_saved_model(guided):
    directory, progress = guided
    checkpoint = Checkpoint.load(directory)
    pairs = read_pairs(checkpoint.config.corpus.valid)
    tokens = [tokenize(pair, checkpoint.tokenizer) for pair in pairs]
    linker = WordLinker(load_lexicon(directory / LEXICON), tension=4.0)
    rate = measure_agreement(checkpoint.model(), tokens, linker).error_rate
    assert rate == pytest.approx(progress.scores["alignment_error_rate"], abs=1e-12)


def test_a_model_without_an_aligned_head_learns_no_links(config, tmp_path):
    run(config, tmp_path)
    assert not (tmp_path / LEXICON).exists()
    assert all("alignment_error_rate" not in event for event in events(tmp_path))
