"""A corpus that is no good ends a run with one clear error, and nothing there is overwritten."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
import tomli_w

from ferryman_training.worker import run

GOOD = "a b c\tc b a\nd e f\tf e d\n"


@pytest.fixture(scope="module")
def begun(pristine_document, tmp_path_factory) -> tuple[Path, Path]:
    """A config and the folder of a run that has done 3 of its 12 updates."""
    folder = tmp_path_factory.mktemp("malformed")
    config = folder / "c.toml"
    config.write_text(tomli_w.dumps(pristine_document), "utf-8")
    changes = ("run.steps=3", "optimizer.warmup_steps=1", "optimizer.cooldown_steps=1")
    assert run([str(config), str(folder / "run"), *changes]) == 0
    return config, folder / "run"


def contents(folder: Path) -> dict[Path, bytes]:
    """What the files of a run hold, but for the log, which tells of every start."""
    return {
        path: path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.endswith((".lock", ".jsonl"))
    }


MALFORMED = {
    "no tab": ({"c.tsv": GOOD + "no tab here\n"}, "c.tsv", "c.tsv:3: must be source TAB target"),
    "not UTF-8": ({"c.tsv": GOOD.encode() + b"\xe9\tx\n"}, "c.tsv", "c.tsv:3: is not UTF-8"),
    "empty": ({"c.tsv": ""}, "c.tsv", "c.tsv: is empty"),
    "blank side": ({"c.tsv": GOOD + "x\t \n"}, "c.tsv", "c.tsv:3: the target is blank"),
    "cut off": (
        {"c.tsv.gz": gzip.compress(GOOD.encode())[:-6]}, "c.tsv.gz", "c.tsv.gz: cannot be read",
    ),
    "uneven": (
        {"c.en": "a\nb\nc\n", "c.fr": "x\ny\n"},
        '[{{source = "{folder}/c.en", target = "{folder}/c.fr"}}]',
        "c.fr: ends after line 2",
    ),
    "no JSON": ({"c.jsonl": '{"source": 1}\n'}, "c.jsonl", 'c.jsonl:1: the field "source" must be'),
    "missing": ({}, "c.tsv", "c.tsv: cannot be read (No such file or directory)"),
}  # fmt: skip


@pytest.mark.parametrize("fault", MALFORMED)
def test_a_malformed_corpus_is_one_error_and_changes_nothing(begun, tmp_path, capsys, fault):
    config, out = begun
    files, name, message = MALFORMED[fault]
    for file, content in files.items():
        (tmp_path / file).write_bytes(content.encode() if isinstance(content, str) else content)
    value = name.format(folder=tmp_path) if name.startswith("[") else str(tmp_path / name)
    before = contents(out)
    for folder in (out, tmp_path / "new"):
        assert run([str(config), str(folder), f"corpus.train={value}"]) == 1
        [line] = capsys.readouterr().err.splitlines()
        assert line.startswith(f"error: {tmp_path}")
        assert message in line
    assert contents(out) == before
    assert contents(tmp_path / "new") == {}


def test_a_corpus_of_one_word_is_told_what_vocabulary_it_fills(begun, tmp_path, capsys):
    config, _ = begun
    (tmp_path / "c.tsv").write_text("word\tword\n" * 50, "utf-8")
    assert run([str(config), str(tmp_path / "new"), f"corpus.train={tmp_path}/c.tsv"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: vocabulary.size: this corpus fills ")
    assert error.rstrip().endswith("pieces at most, not 352; lower it or add text")
    assert not (tmp_path / "new" / "model.safetensors").exists()
