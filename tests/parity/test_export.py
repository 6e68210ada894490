"""What `ferryman export` writes: small, shared, proved, and the same every time."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto
from typer.testing import CliRunner

from ferryman_bundle import Bundle
from ferryman_bundle.manifest import Storage
from ferryman_export.commands.export import app
from ferryman_export.graphs import model_graphs
from ferryman_export.lowering import lower
from ferryman_export.projection import FloatProjections
from ferryman_export.recipe import FP32
from ferryman_export.variants import weight_store
from ferryman_training.corpus import read_pairs
from ferryman_training.decoding import decode_greedily
from ferryman_training.model_config import TransformerConfig
from ferryman_training.transformer import Transformer

ROOT = Path(__file__).parents[2]
VOCABULARY = 8192
"""Of the default model."""


@pytest.fixture(scope="module")
def models(bundle):
    names = bundle.manifest.variants["fp32"].graphs
    return {name: onnx.load_model_from_string(bundle.graph(name)) for name in names}


def test_the_same_model_gives_the_same_bytes(model, lowered):
    """The encoder and a step: each graph is made by itself, in the same way."""
    store = weight_store(model)
    made = model_graphs(model, FP32, FloatProjections()).graphs
    again = lower({name: made[name] for name in ("encoder", "step")}, store, opset=FP32.opset)
    weights = store.values(Storage.INT8)
    for name, graph in again.items():
        assert graph == lowered.graphs[name]
        for initializer, place in graph.initializers.items():
            assert weights.values(place).tobytes() == lowered.values[initializer].tobytes()


def test_weights_are_stored_once_and_as_bytes(bundle, model):
    weights = bundle.manifest.weights
    matrices = sum(p.numel() for p in model.parameters() if p.ndim == 2)
    stored = sum(
        entry.shape[0] * entry.shape[1]
        for entry in weights.values()
        if entry.storage is Storage.INT8
    )
    assert stored == matrices
    size = sum(bundle.manifest.files[f].size for f in ("weights.safetensors",))
    vectors = sum(p.numel() for p in model.parameters() if p.ndim == 1)
    scales = sum(p.shape[0] for p in model.parameters() if p.ndim == 2)
    assert size < matrices + 4 * (vectors + scales) + 16_384


@pytest.mark.parametrize("variant", ["fp32", "int8"])
def test_a_variant_of_the_default_model_is_little_more_than_its_parameters(variant):
    """Graphs, tensors that are no parameters and headers: not five parts in a hundred."""
    directory = ROOT / "models" / "en-fr" / "ferryman_model_en_fr" / "bundle"
    manifest = Bundle.load(directory).manifest
    entries = manifest.variants[variant].graphs.values()
    tensors = {place.tensor for entry in entries for place in entry.initializers.values()}
    assert tensors <= manifest.weights.keys()
    on_disk = (directory / "weights.safetensors").stat().st_size
    on_disk += sum((directory / file).stat().st_size for file in {entry.file for entry in entries})
    shapes = [p.shape for p in Transformer(TransformerConfig(), VOCABULARY).parameters()]
    assert sum(math.prod(shape) for shape in shapes) == manifest.parameters
    unique = sum(
        math.prod(shape) + 4 * shape[0] if len(shape) == 2 else 4 * shape[0] for shape in shapes
    )
    assert unique < on_disk < 1.05 * unique


def test_equal_graphs_are_one_file(bundle, bundle_directory):
    """The scorer of int8 is that of fp32, and state moves in the same way in both."""
    fp32, int8 = (bundle.manifest.variants[name].graphs for name in ("fp32", "int8"))
    shared = {name for name in fp32 if fp32[name].file == int8[name].file}
    assert shared == {"scorer", "admit", "reorder", "release"}
    files = [path for path in bundle_directory.iterdir() if path.suffix == ".onnx"]
    assert len({path.read_bytes() for path in files}) == len(files)


def test_encoder_and_step_share_the_embedding_and_the_steps_all_weights(bundle):
    encoder, step, full = (
        set(bundle.initializers(name)) for name in ("encoder", "step", "step_full")
    )
    assert encoder & step == {"embedding.weight"}
    # Which tokens may come matters to candidates only.
    assert step - full == {"head.tail.never_generated"}
    assert full < step


def test_graphs_hold_no_weights_and_nothing_of_the_machine(models, bundle):
    for name, model in models.items():
        external = {
            i.name for i in model.graph.initializer if i.data_location == TensorProto.EXTERNAL
        }
        assert external == set(bundle.initializers(name))
        for initializer in model.graph.initializer:
            assert len(initializer.raw_data) < 1024
        for trace in (b"site-packages", b".py", b"ferryman_", str(Path.cwd()).encode()):
            assert trace not in bundle.graph(name)


def test_graphs_have_the_inputs_and_outputs_that_the_manifest_declares(models, state):
    def names(values):
        return {
            value.name: tuple(d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim)
            for value in values
        }

    encoder, step = models["encoder"].graph, models["step"].graph
    memory = {t.name: t.shape for t in state if t.output is None}
    cache = {t.name: t.shape for t in state if t.output is not None}
    present = {t.output: t.shape for t in state if t.output is not None}
    source = ("sources", "source_length")
    candidates = ("hypotheses", "candidates")
    assert names(encoder.input) == {"input_ids": source, "attention_mask": source}
    assert names(encoder.output) == memory
    assert names(step.input) == {
        "input_ids": ("sources", "width"),
        "past_lengths": ("hypotheses",),
        "total_length": (1,),
        "candidates": (1,),
        **memory,
        **cache,
    }
    assert names(step.output) == {
        "candidate_log_probs": candidates,
        "candidate_ids": candidates,
        **present,
    }
    full = models["step_full"].graph
    assert names(full.input) == {k: v for k, v in names(step.input).items() if k != "candidates"}
    assert names(full.output) == {"log_probs": ("hypotheses", 600), **present}


def test_the_step_stays_small(models):
    """At batch 1 the number of nodes is what a step costs."""
    operators = [node.op_type for node in models["step"].graph.node]
    layers = 2
    assert operators.count("GroupQueryAttention") == layers
    # Merged projection, its output, query, its output, two of the feed-forward; and the head.
    assert operators.count("Gemm") == 6 * layers + 1
    assert operators.count("Transpose") == 2 * layers
    assert len(operators) <= 20 + 27 * layers


def test_golden_sentences_are_what_the_model_says(bundle, model):
    golden = bundle.manifest.golden["fp32"]
    assert 8 <= len(golden) <= 16
    assert len({len(sentence.source_ids) for sentence in golden}) > 4
    expected = decode_greedily(model, [sentence.source_ids for sentence in golden])
    assert [sentence.ids for sentence in golden] == [e.ids for e in expected]
    for sentence in golden:
        assert sentence.source_ids == tuple(bundle.tokenizer.encode(sentence.text))


def test_the_proof_is_in_the_manifest(bundle, state):
    parity = bundle.manifest.variants["fp32"].parity
    assert parity.sentences == 24
    assert parity.steps > 24
    assert parity.argmax_agreement == 1.0
    assert parity.greedy_identity == 1.0
    assert not parity.accepted_loss
    assert parity.worst_difference.keys() >= {tensor.output or tensor.name for tensor in state}
    assert max(parity.worst_difference.values()) < 1e-4


def test_the_card_says_what_the_manifest_says(bundle):
    assert bundle.card.startswith("# tiny 0.1.0\n")
    assert f"{bundle.manifest.parameters:,}" in bundle.card
    assert "en → fr" in bundle.card
    assert bundle.licence == "Do as you like.\n"


def test_an_existing_bundle_is_not_overwritten(checkpoint, bundle_directory):
    result = CliRunner().invoke(app, [str(checkpoint), str(bundle_directory)])
    assert result.exit_code == 1
    assert "exists already" in result.stderr
    Bundle.load(bundle_directory)


def test_a_missing_checkpoint_is_named(tmp_path):
    result = CliRunner().invoke(app, [str(tmp_path / "nowhere"), str(tmp_path / "bundle")])
    assert result.exit_code == 1
    assert "nowhere: there is no such checkpoint directory" in result.stderr.replace("\n", "")
    assert not (tmp_path / "bundle").exists()


def test_missing_sentences_are_named(checkpoint, tmp_path):
    arguments = [checkpoint, tmp_path / "bundle", "--sentences", tmp_path / "none.tsv"]
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 1
    assert "none.tsv: cannot be read" in result.stderr.replace("\n", "")


@pytest.mark.deep
def test_a_shortlist_is_learnt_stored_and_measured(checkpoint, tmp_path):
    directory = tmp_path / "bundle"
    arguments = [checkpoint, directory, "--shortlist", "--sentence-count", 8, "--test-count", 16]
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    bundle = Bundle.load(directory)
    section, lists = bundle.manifest.shortlist, bundle.shortlist()
    assert section.loss is not None
    assert section.bleu_cost == section.loss.bleu
    assert 100 < section.max_candidates < bundle.manifest.tokens.vocabulary_size
    pair = read_pairs(ROOT / "tests" / "data" / "sample.en-fr.tsv")[0]
    candidates = lists.candidates(bundle.tokenizer.encode(pair.source))
    share = np.isin(bundle.tokenizer.encode(pair.target), candidates).mean()
    assert share > 0.8
    assert all("step_shortlist" in v.graphs for v in bundle.manifest.variants.values())
    assert "## Shortlist" in bundle.card
