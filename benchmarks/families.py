"""Trains every model family on the same two tasks, and says how well each does.

Run it from the root of the repository; see README.md in this folder:

    python -m benchmarks.families CORPUS OUT

A run that was stopped goes on where it was, and one that is finished is not done again.
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from benchmarks.family_figures import Figures, as_json, as_markdown
from benchmarks.family_runs import FAMILIES, Run, corpus_task, reversal_task


def main(
    corpus: Annotated[Path, typer.Argument(help="A folder: train.tsv[.xz], valid.tsv, test.tsv.")],
    out: Annotated[Path, typer.Argument(help="Where runs and tables go.")],
    pairs: Annotated[int, typer.Option(min=1, help="Of the corpus that are trained on.")] = 20_000,
    updates: Annotated[int, typer.Option(min=10, help="Of each run on the corpus.")] = 1000,
    reversal_updates: Annotated[int, typer.Option(min=10, help="Of each run on reversal.")] = 300,
    minutes: Annotated[
        float | None,
        typer.Option(min=0.01, help="As many updates instead as each family does in this time."),
    ] = None,
    width: Annotated[int, typer.Option(min=8, help="Of all models; a multiple of 8.")] = 256,
    tested: Annotated[int, typer.Option(min=1, help="Test pairs that are translated.")] = 500,
    only: Annotated[
        list[str] | None, typer.Option("--family", help=f"Of {', '.join(FAMILIES)}; repeatable.")
    ] = None,
) -> None:
    """Train all families on reversal and on a slice of a corpus, and print a table."""
    # Else only this process would end, and the training that it waits for would go on.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    console = Console()
    unknown = sorted(set(only or ()) - FAMILIES.keys())
    if unknown:
        raise typer.BadParameter(f"{', '.join(unknown)}: not of {', '.join(FAMILIES)}")
    tasks = [
        reversal_task(out, updates=reversal_updates, tested=tested),
        corpus_task(corpus, out, pairs=pairs, updates=updates, tested=tested),
    ]
    figures: list[Figures] = []
    for family in only or FAMILIES:
        for task in tasks:
            run = Run(FAMILIES[family], task, out, width=width, minutes=minutes)
            console.rule(f"{family}, {task.name}", align="left")
            figures.append(run.finish())
            # After every run, so that a table is there whenever one stops.
            (out / "families.json").write_text(as_json(figures), "utf-8")
            (out / "families.md").write_text(as_markdown(figures), "utf-8")
    console.print(as_markdown(figures), markup=False, soft_wrap=True)


if __name__ == "__main__":
    typer.run(main)
