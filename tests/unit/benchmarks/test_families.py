"""The comparison of model families, at a size that says nothing about them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SAMPLE = ROOT / "tests" / "data" / "sample.en-fr.tsv"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Path:
    """A folder with the parts of a corpus."""
    folder = tmp_path_factory.mktemp("corpus")
    rows = SAMPLE.read_text("utf-8").splitlines(keepends=True)
    for part, chosen in (("valid", rows[:20]), ("test", rows[20:40]), ("train", rows[40:])):
        (folder / f"{part}.tsv").write_text("".join(chosen), "utf-8")
    return folder


def compare(corpus: Path, out: Path, *families: str) -> subprocess.CompletedProcess[str]:
    arguments = [f"--family={family}" for family in families]
    arguments += ["--pairs=1900", "--updates=10", "--reversal-updates=12", "--width=16"]
    return subprocess.run(
        [sys.executable, "-m", "benchmarks.families", str(corpus), str(out), *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_every_run_is_in_the_table_and_no_run_is_done_twice(corpus, tmp_path):
    first = compare(corpus, tmp_path, "gru-none")
    assert first.returncode == 0, first.stderr
    [weights] = (tmp_path / "reversal" / "gru-none" / "best").glob("model.safetensors")
    written = weights.stat().st_mtime_ns

    second = compare(corpus, tmp_path, "gru-none", "gru-luong")
    assert second.returncode == 0, second.stderr
    assert weights.stat().st_mtime_ns == written

    figures = json.loads((tmp_path / "families.json").read_text("utf-8"))
    runs = [(f["family"], f["task"], f["updates"]) for f in figures]
    tasks = (("reversal", 12), ("corpus", 10))
    assert runs == [(f, *task) for f in ("gru-none", "gru-luong") for task in tasks]
    assert all(f["tokens_per_second"] > 0 and f["target_tokens"] > 0 for f in figures)
    table = (tmp_path / "families.md").read_text("utf-8")
    assert table in second.stdout
    rows = [line.split(" | ") for line in table.splitlines() if line.startswith("| gru")]
    difference = 100 * (figures[2]["exact_match"] - figures[0]["exact_match"])
    assert rows[1][5] == f"{difference:+.1f}"


def test_a_family_that_there_is_not_is_refused(corpus, tmp_path):
    finished = compare(corpus, tmp_path / "out", "oracle")
    assert finished.returncode == 2
    assert "oracle" in finished.stderr
    assert not (tmp_path / "out").exists()
