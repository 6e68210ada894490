"""A tiny trained-looking model, exported once through the real command.

Biases and normalisations are moved away from their initial zeros and ones: parameters that are
equal by chance are merged by the exporter, and a bias of zero hides a bias that was forgotten.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from ferryman_bundle import Bundle
from ferryman_bundle.manifest import Storage
from ferryman_export.commands.export import app
from ferryman_export.lowered import LoweredGraph, LoweredVariant
from ferryman_export.rounding import round_weights
from ferryman_export.runner import GraphRunner
from ferryman_training.batching import tokenize
from ferryman_training.checkpoint import Checkpoint, Progress
from ferryman_training.config import TrainingConfig
from ferryman_training.corpus import read_pairs
from ferryman_training.corpus_config import CorpusConfig, VocabularyConfig
from ferryman_training.model_config import TransformerConfig
from ferryman_training.transformer import Transformer
from ferryman_training.vocabulary import train_tokenizer

SAMPLE = Path(__file__).parents[1] / "data" / "sample.en-fr.tsv"


@pytest.fixture(scope="session")
def pairs():
    """Real sentence pairs of all lengths, shuffled by taking every so many."""
    return read_pairs(SAMPLE)[::31]


@pytest.fixture(scope="session")
def checkpoint(request, tmp_path_factory):
    """The directory of a seeded checkpoint: 1 + 2 layers, width 48, 3 heads, 600 pieces."""
    config = TrainingConfig(
        name="tiny",
        corpus=CorpusConfig(train=SAMPLE, valid=SAMPLE),
        vocabulary=VocabularyConfig(size=600),
        model=TransformerConfig(
            encoder_layers=1, decoder_layers=2, width=48, heads=3, feed_forward=96
        ),
    )
    texts = [text for pair in read_pairs(SAMPLE)[:800] for text in (pair.source, pair.target)]
    seed = request.config.option.seed
    tokenizer = train_tokenizer(texts, config.vocabulary, seed=seed)
    torch.manual_seed(seed)
    model = Transformer(config.model, tokenizer.vocabulary_size)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 1:
                parameter.add_(torch.randn_like(parameter) * 0.1)
    directory = tmp_path_factory.mktemp("runs") / "tiny"
    Checkpoint(
        config=config, tokenizer=tokenizer, weights=dict(model.state_dict()), progress=Progress()
    ).save(directory)
    return directory


@pytest.fixture(scope="session")
def bundle_directory(checkpoint, tmp_path_factory):
    """What `ferryman export` made of it."""
    licence = tmp_path_factory.mktemp("texts") / "licence.txt"
    licence.write_text("Do as you like.\n", "utf-8")
    directory = tmp_path_factory.mktemp("bundles") / "tiny"
    arguments = [checkpoint, directory, "--sentence-count", 24, "--licence-file", licence]
    arguments += ["--test-count", 24]
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    assert result.stdout == ""
    return directory


@pytest.fixture(scope="session")
def bundle(bundle_directory):
    return Bundle.load(bundle_directory)


@pytest.fixture(scope="session")
def model(checkpoint):
    """The model with the values that the bundle stores."""
    return round_weights(Checkpoint.load(checkpoint).model(), Storage.INT8)


@pytest.fixture(scope="session")
def state(bundle):
    return bundle.manifest.variants["fp32"].state


@pytest.fixture(scope="session")
def lowered(bundle):
    """The graphs of fp32, as the bundle has them."""
    return lowered_variant(bundle, "fp32")


def lowered_variant(bundle, name):
    variant = bundle.manifest.variants[name]
    graphs = {
        graph: LoweredGraph(bundle.graph(graph, name), entry.initializers)
        for graph, entry in variant.graphs.items()
    }
    values = {}
    for graph in graphs:
        values.update(bundle.initializer_values(graph, name))
    return LoweredVariant(
        provider=variant.provider, graphs=graphs, values=values, state=variant.state
    )


@pytest.fixture(scope="session")
def runner(lowered):
    return GraphRunner(lowered)


@pytest.fixture(scope="session")
def tokens(pairs, bundle):
    return [tokenize(pair, bundle.tokenizer) for pair in pairs]


@pytest.fixture
def draw(request):
    """A source of random numbers, the same in every run."""
    return np.random.default_rng(request.config.option.seed)
