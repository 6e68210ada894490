"""Memory does not grow with the file."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import asyncio, resource, sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from reversing import translation_of
from ferryman.files.decoding import FileTask, decode_file
from ferryman.files.formats import format_of

async def translate(texts):
    await asyncio.sleep(0)
    return [translation_of(text) for text in texts]

source, output = Path(sys.argv[1]), Path(sys.argv[2])
task = FileTask(source=source, output=output, format=format_of(source), identity={})
asyncio.run(decode_file(task, translate, window=8, on_step=lambda step: None))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""

LINE = "The ferry leaves at noon, and number {} of its passengers is late.\n"


def kibibytes_for(tmp_path, lines):
    """Decode a file of so many lines; return the most memory that the process had, in KiB."""
    source, output = tmp_path / f"{lines}.txt", tmp_path / f"{lines}.out.txt"
    with source.open("w", encoding="utf-8") as file:
        file.writelines(LINE.format(number) for number in range(lines))
    finished = subprocess.run(
        [sys.executable, "-c", PROGRAM, source, output, Path(__file__).parent],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        check=True,
    )
    with source.open(encoding="utf-8") as before, output.open(encoding="utf-8") as after:
        assert all(
            a.rstrip("\n")[::-1] == b.rstrip("\n") for a, b in zip(before, after, strict=True)
        )
    return int(finished.stdout)


@pytest.mark.parametrize(
    ("few", "many"),
    [(2_000, 20_000), pytest.param(10_000, 1_000_000, marks=pytest.mark.deep)],
)
def test_a_large_file_takes_no_more_memory_than_a_small_one(tmp_path, few, many):
    # 4 MiB: what the allocator keeps of chunks; the files differ by 1.2 and by 67 MiB
    assert kibibytes_for(tmp_path, many) - kibibytes_for(tmp_path, few) < 4096
