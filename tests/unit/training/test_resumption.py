"""Who may go on with a run, and with what."""

from __future__ import annotations

import multiprocessing
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ferryman_training.checkpoint import save_config
from ferryman_training.config import parse_config
from ferryman_training.errors import CheckpointError
from ferryman_training.progress import Progress
from ferryman_training.resumption import ResumeState, exclusive
from ferryman_training.run_config import RunConfig

STATE = ResumeState(
    learner={"optimizer": {"master": {"w": torch.ones(2)}}, "schedule": {}, "loss_scale": {}},
    average={"sum": {}, "count": 0, "steps": []},
    progress=Progress(step=5, scores={"bleu": 1.0}),
    corpus_digest="ab",
    recent=[(10, 2.5), (12, 2.25)],
    patience={"best": 1.0, "waited": 2},
)
NEWEST = Path("checkpoints", "step-00000005")


@pytest.fixture
def begun(config, tmp_path) -> Path:
    save_config(config, tmp_path)
    (tmp_path / NEWEST).mkdir(parents=True)
    STATE.fill(tmp_path / NEWEST)
    return tmp_path


def changed(document: dict, path: str, value: object):
    section, key = path.split(".")
    document[section][key] = value
    return parse_config(document, folder=Path(), origin="test")


def test_a_state_is_read_back_equal(begun, config):
    found = ResumeState.load(begun, config)
    assert torch.equal(found.learner["optimizer"]["master"]["w"], torch.ones(2))
    assert found.learner.keys() == STATE.learner.keys()
    assert (found.progress, found.recent) == (STATE.progress, STATE.recent)
    assert (found.average, found.corpus_digest) == (STATE.average, "ab")
    assert found.patience == STATE.patience


def test_where_no_run_was_begun_there_is_no_state(config, tmp_path):
    assert ResumeState.load(tmp_path, config) is None


def test_the_states_of_the_first_runs_are_still_read(begun, config):
    document = torch.load(begun / NEWEST / "resume.pt", weights_only=True)
    shutil.rmtree(begun / "checkpoints")
    for name in ("corpus_digest", "recent", "schedule", "loss_scale", "patience"):
        del document[name]
    for name in ("finished", "validated", "averaged"):
        del document["progress"][name]
    torch.save(document, begun / "resume.pt")
    (begun / "model.safetensors").touch()
    found = ResumeState.load(begun, config)
    assert (found.corpus_digest, found.recent, found.patience) == (None, [], None)
    assert found.learner.keys() == {"optimizer"}
    assert found.progress.step == 5
    found.refuse_another_corpus("any", "train.tsv")


@pytest.mark.parametrize(
    ("path", "value", "difference"),
    [
        ("model.width", 32, "model.width: 16 there, 32 here"),
        ("vocabulary.size", 360, "vocabulary.size: 352 there, 360 here"),
        ("vocabulary.kind", "bpe", "vocabulary.kind: 'unigram' there, 'bpe' here"),
        ("batch.tokens", 300, "batch.tokens: 256 there, 300 here"),
        ("optimizer.kind", "adamw", "optimizer.kind: 'muon' there, 'adamw' here"),
        ("corpus.target_language", "de", "corpus.target_language: 'fr' there, 'de' here"),
        ("corpus.placeholder_share", 0.5, "corpus.placeholder_share: 0.3 there, 0.5 here"),
        ("run.seed", 3, "run.seed: 20261121 there, 3 here"),
    ],
)
def test_another_run_is_refused_with_the_difference(begun, document, path, value, difference):
    with pytest.raises(CheckpointError, match="another directory") as caught:
        ResumeState.load(begun, changed(document, path, value))
    assert str(caught.value).splitlines()[1:] == [f"  {difference}"]


def test_all_differences_are_named(begun, document):
    document["model"]["heads"] = 4
    with pytest.raises(CheckpointError) as caught:
        ResumeState.load(begun, changed(document, "run.seed", 3))
    assert [line.split(":")[0].strip() for line in str(caught.value).splitlines()[1:]] == [
        "model.heads",
        "run.seed",
    ]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("run.steps", 99),
        ("run.log_every", 1),
        ("run.average_last", 1),
        ("optimizer.learning_rate", 0.5),
        ("optimizer.cooldown_steps", 0),
        ("corpus.train", "moved.tsv"),
    ],
)
def test_how_long_how_fast_and_what_to_write_may_change(begun, document, path, value):
    assert ResumeState.load(begun, changed(document, path, value)) is not None


def test_another_corpus_is_refused():
    STATE.refuse_another_corpus("ab", "train.tsv")
    with pytest.raises(CheckpointError, match=r"train.tsv: is not the corpus .* ab;"):
        STATE.refuse_another_corpus("cd", "train.tsv")


@pytest.mark.parametrize("damage", [b"", b"no zip", None])
def test_a_damaged_state_is_refused_by_name(begun, config, damage):
    path = begun / NEWEST / "resume.pt"
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2] if damage is None else damage)
    with pytest.raises(CheckpointError, match=r"resume.pt: is damaged \(.*remove this one"):
        ResumeState.load(begun, config)


@pytest.mark.parametrize(
    ("step", "finished", "patience", "over"),
    [(12, False, 0, True), (11, False, 2, False), (11, True, 2, True), (11, True, 3, False)],
)
def test_a_run_is_over_at_its_last_step_or_when_its_patience_is(step, finished, patience, over):
    state = replace(STATE, progress=Progress(step=step, finished=finished))
    assert state.over(RunConfig(steps=12, stop_patience=patience)) is over


def test_a_model_without_a_state_is_not_overwritten(config, tmp_path):
    save_config(config, tmp_path)
    (tmp_path / "model.safetensors").touch()
    with pytest.raises(CheckpointError, match=r"holds a model, but no resume.pt"):
        ResumeState.load(tmp_path, config)


def hold(directory: Path, held, release) -> None:
    with exclusive(directory):
        held.set()
        release.wait(30)


def test_one_process_at_a_time_holds_a_directory(tmp_path):
    context = multiprocessing.get_context("fork")
    held, release = context.Event(), context.Event()
    other = context.Process(target=hold, args=(tmp_path, held, release))
    other.start()
    assert held.wait(30)
    another = pytest.raises(CheckpointError, match="another process is training into it")
    with another, exclusive(tmp_path):
        pass
    release.set()
    other.join(30)
    with exclusive(tmp_path):
        pass


def test_a_directory_that_cannot_be_made_is_an_error(tmp_path):
    (tmp_path / "file").touch()
    refused = pytest.raises(CheckpointError, match="cannot be written")
    with refused, exclusive(tmp_path / "file" / "run"):
        pass
