"""Memory does not grow with the corpus, but for some numbers a pair."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PROGRAM = """
import json, sys
from pathlib import Path
from benchmarks.corpus_memory import run
watch = run(int(sys.argv[1]), Path(sys.argv[2]), updates=1, batches=500, sample_sentences=5_000)
print(json.dumps({phase.name.split(" ")[0]: phase.own for phase in watch.phases[1:]}))
"""
BYTES_A_PAIR = 200
"""What a pair may take in memory of its own, at most: less than its text and tokens have, which are
220 bytes on the disk and 2,400 as Python objects."""


def own_memory(pairs: int, folder: Path) -> dict[str, int]:
    """Return the greatest RssAnon of each phase, in bytes."""
    paths = os.pathsep.join([str(ROOT), *(str(ROOT / part) for part in ("export", "training"))])
    process = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(pairs), str(folder)],
        env=os.environ | {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    return json.loads(process.stdout)


@pytest.mark.slow
def test_a_hundred_thousand_pairs_more_take_some_numbers_each(tmp_path):
    few, many = 2_000, 102_000
    before, after = (own_memory(count, tmp_path / str(count)) for count in (few, many))
    assert before.keys() == after.keys() >= {"reading", "tokenizing", "planning"}
    growth = {name: (after[name] - before[name]) / (many - few) for name in before}
    del growth["writing"]  # of the corpus, which is the benchmark's own
    del growth["training"]  # of the vocabulary, which holds a sample of the text
    assert max(growth.values()) < BYTES_A_PAIR, growth
