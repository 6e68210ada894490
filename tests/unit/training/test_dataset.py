"""What a run reads before its first update, and what it says about it."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from ferryman_training.config import parse_config
from ferryman_training.dataset import cache_of, passing_cache, prepare
from ferryman_training.display import PlainDisplay
from ferryman_training.errors import CorpusError
from ferryman_training.replicas import Replicas
from ferryman_training.reporting import Reporter


def corpus_of(folder: Path, **corpus) -> dict:
    """A config whose training corpus has two parts and something to filter."""
    rows = [f"the file {i}\tle fichier {i}\n" for i in range(40)]
    (folder / "a.tsv").write_text("".join([*rows, rows[3], "same 1\tsame 1\n"]), "utf-8")
    (folder / "b.en").write_text("".join(f"open it {i}\n" for i in range(20)), "utf-8")
    (folder / "b.fr").write_text("".join(f"ouvrez {i}\n" for i in range(20)), "utf-8")
    (folder / "valid.tsv").write_text("the file\tle fichier\n", "utf-8")
    return {
        "corpus": {
            "train": [{"path": "a.tsv", "weight": 2.0}, {"source": "b.en", "target": "b.fr"}],
            "valid": "valid.tsv",
            "filters": {"identical": True, "duplicates": "pairs"},
            "placeholder_share": 0.0,
        }
        | corpus,
        "vocabulary": {"size": 351, "character_coverage": 1.0},
        "batch": {"tokens": 256},
    }


def read(document: dict, folder: Path, out: Path):
    config = parse_config(document, folder=folder, origin="test")
    file = io.StringIO()
    reporter = Reporter(config, PlainDisplay(Console(file=file, width=200)), log=out / "log.jsonl")
    out.mkdir(exist_ok=True)
    dataset = prepare(
        config, out, cache=cache_of(config, out), replicas=Replicas(), reporter=reporter
    )
    return dataset, file.getvalue()


def test_what_was_left_out_is_said_logged_and_written_with_an_example(tmp_path):
    dataset, talk = read(corpus_of(tmp_path), tmp_path, tmp_path / "run")
    assert (dataset.kept, dataset.dropped) == (60, 2)
    assert "60 pairs" in talk
    assert "2 pairs left out:" in talk
    assert "1  both sides are the same" in talk
    assert "1  it came before" in talk
    [event] = map(json.loads, (tmp_path / "run" / "log.jsonl").read_text("utf-8").splitlines())
    assert (event["kept"], event["dropped"]) == (60, 2)
    assert event["reasons"] == {"both sides are the same": 1, "it came before": 1}
    dataset.save_report(tmp_path / "run")
    report = json.loads((tmp_path / "run" / "corpus.json").read_text("utf-8"))
    assert [(part["pairs"], part["weight"]) for part in report["parts"]] == [(40, 2.0), (20, 1.0)]
    assert report["parts"][1]["files"] == [str(tmp_path / "b.en"), str(tmp_path / "b.fr")]
    assert (report["read"], report["kept"]) == (62, 60)
    assert report["dropped"][1] == {
        "why": "it came before",
        "pairs": 1,
        "example": {
            "where": f"{tmp_path}/a.tsv:41",
            "source": "the file 3",
            "target": "le fichier 3",
        },
    }


def test_an_epoch_counts_the_tokens_of_each_part_by_its_weight(tmp_path):
    dataset, _ = read(corpus_of(tmp_path), tmp_path, tmp_path / "run")
    tokens = dataset.sampler.tokens
    sizes = [len(pair.target) + 1 for pair in tokens]
    assert dataset.target_tokens == 2 * sum(sizes[:40]) + sum(sizes[40:])


def test_a_second_run_reads_the_cache_of_the_first(tmp_path):
    document = corpus_of(tmp_path, cache="shared")
    first, _ = read(document, tmp_path, tmp_path / "one")
    files = {p: p.stat().st_mtime_ns for p in (tmp_path / "shared").rglob("*") if p.is_file()}
    second, _ = read(document, tmp_path, tmp_path / "two")
    assert list(first.sampler.tokens) == list(second.sampler.tokens)
    after = {p: p.stat().st_mtime_ns for p in (tmp_path / "shared").rglob("*") if p.is_file()}
    assert after == files
    assert not (tmp_path / "two" / "cache").exists()


def test_a_passing_cache_passes_and_a_configured_one_stays(tmp_path, document):
    config = parse_config(document, folder=tmp_path, origin="test")
    with passing_cache(config, Replicas()) as folder:
        assert folder.is_dir()
    assert not folder.exists()
    document["corpus"]["cache"] = "kept"
    config = parse_config(document, folder=tmp_path, origin="test")
    with passing_cache(config, Replicas()) as folder:
        assert folder == tmp_path / "kept"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("a\ta\n", "vocabulary.size: this corpus fills .* pieces at most, not 351; lower it or"),
        ("no tab\n", ":1: must be source TAB target"),
        ("a\tb\nc\t\n", ":2: the target is blank"),
    ],
)
def test_a_corpus_that_cannot_be_learnt_from_is_one_clear_error(tmp_path, text, message):
    document = corpus_of(tmp_path, train="bad.tsv", filters={})
    (tmp_path / "bad.tsv").write_text(text, "utf-8")
    with pytest.raises(CorpusError, match=message) as caught:
        read(document, tmp_path, tmp_path / "run")
    assert len(str(caught.value).splitlines()) == 1


def test_a_bad_validation_part_is_named(tmp_path):
    document = corpus_of(tmp_path, valid={"source": "b.en", "target": "valid.tsv"})
    with pytest.raises(CorpusError, match=r"valid\.tsv: ends after line 1, but .*b\.en goes on"):
        read(document, tmp_path, tmp_path / "run")
