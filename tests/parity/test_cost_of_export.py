"""Exporting one graph of a model of the default model's shape takes seconds, and little memory.

Bounds are those that exporting has to keep: 20 s, here of CPU time, which is no less than what two
idle cores take by the clock; and 300 MB and three times the checkpoint above what importing takes.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from ferryman_bundle import Bundle
from ferryman_training.checkpoint import Checkpoint, Progress
from ferryman_training.config import TrainingConfig
from ferryman_training.corpus_config import CorpusConfig
from ferryman_training.model_config import TransformerConfig
from ferryman_training.transformer import Transformer

ROOT = Path(__file__).parents[2]
DEFAULT_MODEL = ROOT / "models" / "en-fr" / "ferryman_model_en_fr" / "bundle"
MOST_SECONDS = 20.0
MOST_BYTES = 300_000_000
CHECKPOINTS = 3


@pytest.fixture(scope="module")
def default_shape(tmp_path_factory, request):
    """A checkpoint of random weights, with the shape and the vocabulary of the default model."""
    bundle = Bundle.load(DEFAULT_MODEL)
    sample = ROOT / "tests" / "data" / "sample.en-fr.tsv"
    config = TrainingConfig(
        name="default-shape",
        corpus=CorpusConfig(train=sample, valid=sample),
        model=TransformerConfig(),
    )
    torch.manual_seed(request.config.option.seed)
    model = Transformer(config.model, bundle.manifest.tokens.vocabulary_size)
    assert sum(p.numel() for p in model.parameters()) == bundle.manifest.parameters
    directory = tmp_path_factory.mktemp("runs") / "default-shape"
    Checkpoint(config, bundle.tokenizer, dict(model.state_dict()), Progress()).save(directory)
    return directory


@pytest.mark.deep
@pytest.mark.parametrize(
    ("graph", "variant"),
    [
        *((graph, "fp32") for graph in ("encoder", "step", "step_full", "scorer")),
        *((graph, "int8") for graph in ("encoder", "step", "step_full")),
        *((graph, "fp16") for graph in ("encoder", "step")),
        *((graph, "portable") for graph in ("encoder", "step")),
    ],
)
def test_a_graph_is_exported_in_seconds_and_in_little_memory(default_shape, graph, variant):
    script = Path(__file__).with_name("cost_of_export.py")
    done = subprocess.run(
        [sys.executable, str(script), str(default_shape), graph, variant],
        capture_output=True,
        text=True,
        check=True,
    )
    cost = json.loads(done.stdout)
    checkpoint = (default_shape / "model.safetensors").stat().st_size
    assert cost["seconds"] < MOST_SECONDS
    assert 10_000_000 < cost["bytes"] < MOST_BYTES + CHECKPOINTS * checkpoint


@pytest.mark.deep
def test_the_default_shape_is_no_smaller_than_the_checkpoint_of_the_default_model(default_shape):
    assert (default_shape / "model.safetensors").stat().st_size > 35_000_000
