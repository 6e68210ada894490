"""What int8 costs and saves a recurrent model, and its decode step beside torch's.

Run it from the root of the repository; see README.md in this folder:

    python -m benchmarks.recurrent OUT                         # trains an LSTM and a GRU first
    python -m benchmarks.recurrent OUT --run RUN --test TEST.tsv
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.family_runs import FAMILIES, Run, reversal_task
from benchmarks.measurement import processor
from benchmarks.recurrent_measurement import Findings, measure
from ferryman_training.checkpoint import Checkpoint
from ferryman_training.corpus import read_pairs

_TRAINED: Final = ("lstm-luong", "gru-luong")
_CALIBRATION: Final = 300
_TABLE_WIDTH: Final = 150
"""Columns on stdout even where it is a file, for which rich would fold the table."""


def main(
    out: Annotated[Path, typer.Argument(help="Where runs and recurrent.json go.")],
    runs: Annotated[
        list[Path] | None,
        typer.Option("--run", help="A recurrent model that is trained already; repeatable."),
    ] = None,
    test: Annotated[
        Path | None, typer.Option(help="Pairs to translate.", show_default="of the task")
    ] = None,
    updates: Annotated[int, typer.Option(min=10, help="Of each run on reversal.")] = 400,
    width: Annotated[int, typer.Option(min=8, help="Of the models that are trained.")] = 256,
    tested: Annotated[int, typer.Option(min=10, help="Pairs that are translated.")] = 500,
    rounds: Annotated[int, typer.Option(min=1, help="Times that everything is timed.")] = 15,
) -> None:
    """Hold int8 and fp32 against torch: agreement, BLEU, and the time of a decode step."""
    console = Console()
    console.width = max(console.width, _TABLE_WIDTH)
    out.mkdir(parents=True, exist_ok=True)
    if not runs:
        task = reversal_task(out, updates=updates, tested=tested)
        test = test or task.folder / "test.tsv"
        for name in _TRAINED:
            Run(FAMILIES[name], task, out, width=width, minutes=None).finish()
        runs = [out / task.name / name for name in _TRAINED]
    findings: list[Findings] = []
    for run in runs:
        checkpoint = Checkpoint.load(run)
        corpus = checkpoint.config.corpus
        pairs = read_pairs(corpus.train[0])
        calibration = pairs[:: max(1, len(pairs) // _CALIBRATION)][:_CALIBRATION]
        found = measure(
            checkpoint, calibration, read_pairs(test or corpus.valid)[:tested], rounds=rounds
        )
        findings.append(found)
        content = json.dumps([asdict(each) for each in findings], indent=2) + "\n"
        (out / "recurrent.json").write_text(content, "utf-8")
    console.print(_quality(findings))
    console.print(_times(findings))


def _quality(findings: Sequence[Findings]) -> Table:
    table = Table(title="What int8 loses; BLEU of greedy search, lost with its 95 % interval")
    table.add_column("model")
    for heading in (
        "parameters",
        "sentences",
        "argmax fp32",
        "argmax int8",
        "greedy fp32",
        "greedy int8",
        "BLEU fp32",
        "BLEU int8",
        "lost",
    ):
        table.add_column(heading, justify="right")
    for found in findings:
        table.add_row(
            found.model,
            f"{found.parameters:,}",
            f"{found.tested}",
            *(f"{found.agreement[name]:.2%}" for name in ("fp32", "int8")),
            *(f"{found.identity[name]:.1%}" for name in ("fp32", "int8")),
            *(f"{found.bleu[name]:.2f}" for name in ("fp32", "int8")),
            f"{found.lost:.2f} ({found.low:.2f} to {found.high:.2f})",
        )
    return table


def _times(findings: Sequence[Findings]) -> Table:
    packages = ", ".join(f"{name} {version(name)}" for name in ("torch", "onnxruntime"))
    table = Table(
        title="A decode step on one thread, µs of CPU time, and over torch's of the same round; "
        "min / median / max",
        caption=f"{packages}, {processor()}",
    )
    table.add_column("model")
    for heading in ("batch", "torch eager", "fp32", "int8", "fp32 / torch", "int8 / torch"):
        table.add_column(heading, justify="right", no_wrap=True)
    for found in findings:
        for timing in found.timings:
            table.add_row(
                found.model,
                f"{timing.batch}",
                f"{timing.torch_eager.median:.0f}",
                f"{timing.fp32.median:.0f}",
                f"{timing.int8.median:.0f}",
                timing.fp32_ratio.render(),
                timing.int8_ratio.render(),
            )
    return table


if __name__ == "__main__":
    typer.run(main)
