"""The runs that tests make, in this process and without any server."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from ferryman.files.decoding import FileTask, decode_file
from ferryman.files.formats import format_of

sys.path.insert(0, str(Path(__file__).parent))

from reversing import SMALL, Reverser


@pytest.fixture
def reverser():
    return Reverser()


@pytest.fixture
def decode(reverser):
    """What translates a file in this process, and what it tells of its steps."""

    def run(source, output, *, translate=reverser, window=4, identity=None, **options):
        names = {name: options.pop(name, None) for name in ("name", "field", "into")}
        steps = []
        task = FileTask(
            source=source,
            output=output,
            format=format_of(source, **names),
            identity=identity or {"model": "reversal@1.0.0"},
            chunk_size=options.pop("chunk_size", SMALL),
            **options,
        )
        summary = asyncio.run(decode_file(task, translate, window=window, on_step=steps.append))
        return SimpleNamespace(summary=summary, steps=steps)

    return run
