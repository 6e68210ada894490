"""A task that is no translation: it is what it says, and a run learns from it."""

from __future__ import annotations

import doctest
import importlib.util
import io
import json
import tomllib
from pathlib import Path

import pytest
from rich.console import Console

from ferryman_training.checkpoint import Checkpoint
from ferryman_training.config import load_config, parse_config
from ferryman_training.display import PlainDisplay
from ferryman_training.replicas import Replicas
from ferryman_training.reporting import Reporter
from ferryman_training.trainer import train

TRAINING = Path(__file__).parents[3] / "training"
CONFIG = TRAINING / "configs" / "number-names.toml"


@pytest.fixture(scope="module")
def task():
    path = TRAINING / "tasks" / "number_names.py"
    spec = importlib.util.spec_from_file_location("number_names", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("number", "name"),
    [
        (0, "zero"),
        (13, "thirteen"),
        (40, "forty"),
        (101, "one hundred and one"),
        (1_000, "one thousand"),
        (1_100, "one thousand one hundred"),
        (12_345_678, "twelve million three hundred and forty-five thousand six hundred and "
         "seventy-eight"),
    ],
)  # fmt: skip
def test_numbers_have_their_names(task, number, name):
    assert task.cardinal(number) == name


def test_the_examples_in_the_task_are_right(task):
    result = doctest.testmod(task)
    assert (result.failed, result.attempted > 0) == (0, True)


def test_ordinals_are_written_with_the_letters_they_end_in(task):
    for number in [*range(1, 125), 1000, 10_011]:
        assert task.ordinal(number).endswith(task._ending(number))


def test_the_parts_do_not_overlap_and_a_seed_gives_the_same_again(task, tmp_path):
    task.write(tmp_path)
    parts = [
        [
            json.loads(line)["written"]
            for line in (tmp_path / f"{name}.jsonl").read_text().splitlines()
        ]
        for name in task.SIZES
    ]
    assert [len(part) for part in parts] == list(task.SIZES.values())
    written = [text for part in parts for text in part]
    assert len(set(written)) == len(written)
    assert task.pairs(50, seed=2) == task.pairs(50, seed=2) != task.pairs(50, seed=3)


def test_the_config_fits_the_task_and_a_tiny_run_of_it_ends_in_a_checkpoint(task, tmp_path):
    document = tomllib.loads(CONFIG.read_text("utf-8"))
    names = [
        Path(part["path"]) for part in (document["corpus"]["train"][0], document["corpus"]["valid"])
    ]
    assert [name.name for name in names] == ["train.jsonl", "valid.jsonl"]
    rows = list(task.pairs(600, seed=1).items())
    for name, part in (("train", rows[:560]), ("valid", rows[560:])):
        text = "".join(json.dumps({"written": w, "spoken": s}) + "\n" for w, s in part)
        (tmp_path / f"{name}.jsonl").write_text(text, "utf-8")
    document["corpus"]["train"][0]["path"] = "train.jsonl"
    document["corpus"]["valid"]["path"] = "valid.jsonl"
    document["model"] |= {"width": 16, "heads": 2, "feed_forward": 32, "encoder_layers": 1}
    document["optimizer"] |= {"warmup_steps": 2, "cooldown_steps": 2}
    document["run"] |= {"steps": 6, "validate_every": 6, "validation_sentences": 2}
    config = parse_config(document, folder=tmp_path, origin="test")
    file = io.StringIO()
    reporter = Reporter(config, PlainDisplay(Console(file=file)), log=None)
    progress = train(config, tmp_path / "run", reporter=reporter, replicas=Replicas())
    assert progress.step == 6
    tokenizer = Checkpoint.load(tmp_path / "run").tokenizer
    spoken = rows[0][1]
    assert tokenizer.decode(tokenizer.encode(spoken)) == spoken
    assert load_config(CONFIG).corpus.source_language == "zxx"
