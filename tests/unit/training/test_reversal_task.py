"""The reversal task is what it says, and no part knows another."""

from __future__ import annotations

import runpy
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[3] / "training" / "tasks" / "reversal.py"


def read(path: Path) -> list[list[str]]:
    return [line.split("\t") for line in path.read_text("utf-8").splitlines()]


def test_the_script_writes_three_parts_without_overlap(tmp_path):
    subprocess.run([sys.executable, str(SCRIPT), str(tmp_path / "task")], check=True)
    parts = {name: read(tmp_path / "task" / f"{name}.tsv") for name in ("train", "valid", "test")}
    assert {name: len(part) for name, part in parts.items()} == {
        "train": 20_000,
        "valid": 200,
        "test": 500,
    }
    sources = [source for part in parts.values() for source, _ in part]
    assert len(set(sources)) == len(sources)
    for part in parts.values():
        assert all(target.split() == source.split()[::-1] for source, target in part)


def test_lengths_are_those_asked_for_and_a_seed_gives_the_same_again():
    sequences = runpy.run_path(str(SCRIPT))["sequences"]
    found = sequences(300, shortest=2, longest=5, seed=3)
    assert {len(line.split()) for line in found} == {2, 3, 4, 5}
    assert found == sequences(300, shortest=2, longest=5, seed=3)
    assert found != sequences(300, shortest=2, longest=5, seed=4)
