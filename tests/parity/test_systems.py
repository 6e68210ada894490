"""A checkpoint and the bundle made of it are measured alike."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from ferryman_bundle.tokenizer import BOS, EOS
from ferryman_quality.errors import NoAttentionError, NoSystemError, SettingError
from ferryman_quality.settings import Device, Settings
from ferryman_server import decoding
from ferryman_server.evaluation import BundleSystem
from ferryman_training.checkpoint import Checkpoint
from ferryman_training.evaluation import CheckpointSystem
from ferryman_training.transformer import Transformer

GREEDY = Settings(beam_size=1, device=Device.CPU, workers=1)
EXACT = dataclasses.replace(GREEDY, variant="fp32")


def nothing() -> None:
    """A line is done, and nobody looks."""


@pytest.fixture(scope="module")
def rounded(checkpoint, model, tmp_path_factory):
    """The checkpoint with the weights that the bundle stores."""
    trained = Checkpoint.load(checkpoint)
    directory = tmp_path_factory.mktemp("rounded")
    Checkpoint(trained.config, trained.tokenizer, dict(model.state_dict()), trained.progress).save(
        directory
    )
    return directory


def test_greedy_translations_are_the_same(rounded, bundle_directory, pairs, monkeypatch):
    # A model that was never trained repeats itself, which the engine would put an end to.
    monkeypatch.setattr(decoding, "_LOOP_TOKENS", 10_000)
    sources = [pair.source for pair in pairs if len(pair.source) < 120][:40]
    lines = []
    in_torch = CheckpointSystem(str(rounded)).translate(sources, GREEDY, lambda: lines.append(1))
    in_engine = BundleSystem(str(bundle_directory)).translate(sources, EXACT, nothing)
    assert len(lines) == len(sources) == 40
    same = sum(a == b for a, b in zip(in_torch.translations, in_engine.translations, strict=True))
    assert len(set(in_torch.translations)) > 20
    assert same >= 38  # a tie can fall either way
    assert "greedy" in in_torch.search
    assert "greedy" in in_engine.search


def test_attention_of_a_checkpoint_is_the_models(rounded, model):
    system = CheckpointSystem(str(rounded))
    tokenizer = Checkpoint.load(rounded).tokenizer
    found = system.attend("The file is empty.", "Le fichier est vide.", GREEDY)
    source, target = map(tokenizer.encode, ("The file is empty.", "Le fichier est vide."))
    with torch.no_grad():
        weights = model.attention(torch.tensor([[*source, EOS]]), torch.tensor([[BOS, *target]]))
    np.testing.assert_array_equal(found.weights, weights[0].numpy())
    assert found.source == tuple(map(tokenizer.piece, (*source, EOS)))
    assert found.target == tuple(map(tokenizer.piece, (*target, EOS)))
    np.testing.assert_allclose(found.weights.sum(1), 1, atol=1e-5)


def test_attention_without_a_target_is_that_of_the_models_own_translation(rounded):
    system = CheckpointSystem(str(rounded))
    source = "The file is empty."
    tokenizer = Checkpoint.load(rounded).tokenizer
    found = system.attend(source, None, GREEDY)
    ids = [
        next(i for i in range(tokenizer.vocabulary_size) if tokenizer.piece(i) == p)
        for p in found.target[:-1]
    ]
    translated = system.translate([source], GREEDY, nothing).translations
    assert tokenizer.decode(ids) == translated[0]


def test_a_checkpoint_without_attention_says_so(rounded, monkeypatch):
    system = CheckpointSystem(str(rounded))
    monkeypatch.setattr(Transformer, "attention", lambda self, source, target: None)
    with pytest.raises(NoAttentionError, match="the model has no attention"):
        system.attend("The file is empty.", None, GREEDY)


def test_texts_that_are_too_long_to_show_are_refused_not_cut(rounded):
    long = "word " * 200
    system = CheckpointSystem(str(rounded))
    with pytest.raises(SettingError, match=r"TEXT: has \d+ tokens, but the model takes 128"):
        system.attend(long, None, GREEDY)
    with pytest.raises(SettingError, match=r"--target: has \d+ tokens"):
        system.attend("a", long, GREEDY)


@pytest.mark.parametrize("settings", [Settings(beam_size=4), Settings(length_penalty=0.5), EXACT])
def test_a_search_that_only_the_engine_has_is_refused(rounded, settings):
    with pytest.raises(SettingError, match=r"decoded greedily|only bundles") as caught:
        CheckpointSystem(str(rounded)).translate(["a"], settings, nothing)
    assert caught.value.exit_code == 2


def test_a_damaged_checkpoint_is_told_in_one_line(rounded, tmp_path):
    for file in rounded.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(NoSystemError, match=r"model\.safetensors: is damaged"):
        CheckpointSystem(str(tmp_path))
