"""Checkpoints: whole or not there, and never trusted when damaged."""

from __future__ import annotations

import pickle

import pytest
import torch

from ferryman_training.checkpoint import CONFIG, TOKENIZER, Checkpoint
from ferryman_training.errors import CheckpointError, ConfigError
from ferryman_training.progress import PROGRESS, Progress
from ferryman_training.run_directory import WEIGHTS
from ferryman_training.transformer import Transformer


@pytest.fixture
def checkpoint(config, tokenizer) -> Checkpoint:
    model = Transformer(config.model, tokenizer.vocabulary_size)
    progress = Progress(step=7, epoch=1, update_in_epoch=2, target_tokens=99, scores={"bleu": 1.5})
    return Checkpoint(config, tokenizer, model.state_dict(), progress)


def test_a_checkpoint_is_read_back_equal(checkpoint, tmp_path):
    checkpoint.save(tmp_path / "new")
    found = Checkpoint.load(tmp_path / "new")
    assert (found.config, found.progress) == (checkpoint.config, checkpoint.progress)
    assert found.tokenizer.model == checkpoint.tokenizer.model
    torch.testing.assert_close(found.weights, dict(checkpoint.weights), rtol=0, atol=0)
    assert not found.model().training
    names = {path.name for path in (tmp_path / "new").iterdir()}
    assert names == {CONFIG, WEIGHTS, TOKENIZER, PROGRESS}


def test_nothing_is_no_checkpoint_and_the_missing_file_is_named(checkpoint, tmp_path):
    with pytest.raises(CheckpointError, match="no such checkpoint directory"):
        Checkpoint.load(tmp_path / "none")
    checkpoint.save(tmp_path)
    (tmp_path / PROGRESS).unlink()
    with pytest.raises(CheckpointError, match=r"missing: progress\.json"):
        Checkpoint.load(tmp_path)


def truncate(data: bytes) -> bytes:
    return data[: len(data) // 2]


def pickled(_data: bytes) -> bytes:
    return pickle.dumps({"embedding.weight": [1.0]})


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        (WEIGHTS, truncate),
        (WEIGHTS, pickled),
        (WEIGHTS, lambda _: b""),
        (TOKENIZER, truncate),
        (TOKENIZER, lambda _: b""),
        (PROGRESS, truncate),
        (PROGRESS, lambda _: b'{"speed": 3}'),
        (PROGRESS, lambda _: b"[]"),
    ],
)
def test_a_damaged_file_is_refused_by_name(checkpoint, tmp_path, name, damage):
    checkpoint.save(tmp_path)
    path = tmp_path / name
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(CheckpointError, match=f"{name}: is damaged"):
        Checkpoint.load(tmp_path)


def test_a_damaged_config_is_refused_by_name(checkpoint, tmp_path):
    checkpoint.save(tmp_path)
    (tmp_path / CONFIG).write_text("[model", "utf-8")
    with pytest.raises(ConfigError, match=CONFIG):
        Checkpoint.load(tmp_path)


def test_weights_of_another_model_are_refused(checkpoint, tmp_path):
    checkpoint.save(tmp_path)
    path = tmp_path / CONFIG
    path.write_text(path.read_text("utf-8").replace("width = 16", "width = 32"), "utf-8")
    with pytest.raises(CheckpointError, match="do not fit the config"):
        Checkpoint.load(tmp_path).model()
