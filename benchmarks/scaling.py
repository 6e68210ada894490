"""Translates ever longer files: speed must not fall and memory must not grow.

Run it from the root of the repository; see README.md in this folder:

    python -m benchmarks.scaling PAIRS.tsv OUT
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import typer
from matplotlib.figure import Figure
from rich.table import Table

from benchmarks.environment import read_environment
from benchmarks.line_stream import CHUNK, StreamRun, resident_bytes, translate_lines
from benchmarks.loads import DEFAULT_BUNDLE, read_sources
from benchmarks.results import Results
from ferryman_bundle import Bundle
from ferryman_server.engine import Engine, Search
from ferryman_server.runtime import OnnxRuntime

_FIRST: Final = 1_000
_FACTOR: Final = 10
_MAX_TOKENS: Final = 256
_MEBIBYTE: Final = 1 << 20


def main(
    pairs: Annotated[Path, typer.Argument(help="Source TAB target lines; sources are used.")],
    out: Annotated[Path, typer.Argument(help="A folder for scaling.json and scaling.png.")],
    bundle: Annotated[Path, typer.Option(help="The model.")] = DEFAULT_BUNDLE,
    variant: Annotated[str, typer.Option(help="Of the bundle.")] = "int8",
    most: Annotated[int, typer.Option(help="Lines of the longest file.", min=1)] = 100_000,
    workers: Annotated[int, typer.Option(help="Of the engine.", min=1)] = 1,
) -> None:
    """Translate 1,000 lines, 10,000 and so on, and see whether speed and memory stay."""
    environment = read_environment("onnxruntime")
    results = Results(out, "scaling")
    model = Bundle.load(bundle)
    sources = read_sources(model, pairs, most)
    search = Search(max_tokens=_MAX_TOKENS)
    tokens = 4 * CHUNK * (model.manifest.limits.max_source_tokens + 1)
    runtime = OnnxRuntime(model, variant=variant)
    runs = []
    with Engine(runtime, workers=workers, max_queued_tokens=tokens) as engine:
        for lines in sizes(most):
            text = itertools.cycle(sources)
            run = translate_lines(engine, text, search, lines, resident=resident_bytes)
            results.console.print(f"{lines:,} lines: {run.wall:.0f} s", highlight=False)
            runs.append(run)
    results.show(table(runs), environment)
    results.write(environment, {"runs": runs, "growth": [run.growth for run in runs]})
    results.draw(functools.partial(chart, runs), width=9, height=3.5)


def sizes(most: int) -> list[int]:
    """Return the lines of each file.

    >>> sizes(100_000), sizes(2_000), sizes(500)
    ([1000, 10000, 100000], [1000, 2000], [500])
    """
    found = [_FIRST]
    while found[-1] < most:
        found.append(found[-1] * _FACTOR)
    return [*(size for size in found if size < most), most]


def table(runs: Sequence[StreamRun]) -> Table:
    """Lay the figures out."""
    shown = Table("lines", title="Speed and memory by the length of the file")
    for heading in ("tokens/s", "tokens / CPU s", "RSS at first, MiB", "at last", "greatest"):
        shown.add_column(heading, justify="right")
    shown.add_column("growth in the second half, MiB per 10,000 lines", justify="right")
    for run in runs:
        memory = [resident / _MEBIBYTE for _, resident in run.resident]
        shown.add_row(
            f"{run.lines:,}",
            f"{run.tokens / run.wall:,.0f}",
            f"{run.tokens / run.cpu:,.0f}",
            *(f"{value:.0f}" for value in (memory[0], memory[-1], max(memory))),
            f"{10_000 * run.growth / _MEBIBYTE:+.2f}",
        )
    return shown


def chart(runs: Sequence[StreamRun], figure: Figure) -> None:
    """Draw the speed of each file, and the memory over the lines of the longest."""
    speed, memory = figure.subplots(1, 2)
    lines = [run.lines for run in runs]
    speed.semilogx(lines, [run.tokens / run.cpu for run in runs], marker="o")
    speed.set_ylim(bottom=0)
    speed.set_xlabel("lines")
    speed.set_ylabel("tokens / CPU s")
    longest = runs[-1].resident
    memory.plot([done for done, _ in longest], [size / _MEBIBYTE for _, size in longest])
    memory.set_ylim(bottom=0)
    memory.set_xlabel("lines done")
    memory.set_ylabel("resident MiB")


if __name__ == "__main__":
    typer.run(main)
