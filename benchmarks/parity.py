"""Holds every family of models, in every variant, against torch: one command, one table.

Run it from the root of the repository; see README.md in this folder:

    python -m benchmarks.parity                      # small models of random weights, all of them
    python -m benchmarks.parity RUN [RUN ...]        # trained ones
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.measurement import processor
from benchmarks.parity_measurement import RECIPES, Finding, measure
from benchmarks.parity_models import FAMILIES, Subject, trained, untrained
from ferryman_training.corpus import read_pairs

SAMPLE: Final = Path(__file__).parents[1] / "tests" / "data" / "sample.en-fr.tsv"
"""Real sentence pairs."""
_TABLE_WIDTH: Final = 150
"""Columns on stdout even where it is a file, for which rich would fold the table."""
_GROUPS: Final = {
    "memory": "memory",
    "state": "present",
    "log-probs": "log_probs",
    "candidates": "candidate_log_probs",
    "scorer": "token_log_probs",
    "attention": "attention",
}
"""Columns of the table, and what the names of their tensors begin with."""


def main(
    runs: Annotated[
        list[Path] | None, typer.Argument(help="Trained models, instead of random ones.")
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option("--family", help="Part of a family's name; repeatable.")
    ] = None,
    variants: Annotated[
        list[str] | None,
        typer.Option("--variant", help=f"Of {', '.join(RECIPES)}; repeatable."),
    ] = None,
    pairs: Annotated[Path, typer.Option(help="Real sentence pairs, TSV.")] = SAMPLE,
    sentences: Annotated[int, typer.Option(min=1, help="How many are compared.")] = 40,
    seed: Annotated[int, typer.Option(help="Of random weights.")] = 20261121,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write all tensors here.")
    ] = None,
    markdown: Annotated[
        Path | None, typer.Option("--markdown", help="Write the table here.")
    ] = None,
) -> None:
    """Compare every output and state tensor with torch, step by step.

    Ends with 1 if a variant is not as it should be.
    """
    console = Console()
    console.width = max(console.width, _TABLE_WIDTH)
    unknown = sorted(set(variants or ()) - RECIPES.keys())
    if unknown:
        raise typer.BadParameter(f"{', '.join(unknown)}: not of {', '.join(RECIPES)}")
    recipes = [RECIPES[name] for name in variants or RECIPES]
    names = [name for name in FAMILIES if not only or any(part in name for part in only)]
    text = read_pairs(pairs)
    findings: list[Finding] = []
    subjects: Iterable[Subject] = (
        (trained(run, text, count=sentences) for run in runs)
        if runs
        else (untrained(name, text, count=sentences, seed=seed) for name in names)
    )
    watched = Console(stderr=True)
    with watched.status("exporting …") as status:
        for subject in subjects:
            status.update(f"{subject.name} …")
            findings += measure(subject, recipes)
            # After every model, so that figures are there whenever one stops.
            if json_file is not None:
                json_file.write_text(as_json(findings), "utf-8")
            if markdown is not None:
                markdown.write_text(as_markdown(findings), "utf-8")
    console.print(as_table(findings))
    for finding in findings:
        if finding.fault:
            console.print(f"[red]{finding.model}, {finding.variant}: {finding.fault}[/]")
    if any(finding.fault for finding in findings):
        raise typer.Exit(1)


def as_json(findings: Sequence[Finding]) -> str:
    """Return all figures, the difference of every tensor among them."""
    return json.dumps([asdict(finding) for finding in findings], indent=2) + "\n"


def as_markdown(findings: Sequence[Finding]) -> str:
    """Return the table, and under it what it was measured on."""
    header = _headings()
    lines = [header, ["---", "---", *["---:"] * (len(header) - 2)], *map(_cells, findings)]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"{table}\n\n{_caption(findings)}\n"


def as_table(findings: Sequence[Finding]) -> Table:
    """Return the table for a terminal."""
    table = Table(
        title="Largest absolute difference from torch, over every step of real sentences",
        caption=_caption(findings),
    )
    for number, heading in enumerate(_headings()):
        table.add_column(heading, justify="left" if number < 2 else "right", no_wrap=True)
    before = ""
    for finding in findings:
        cells = _cells(finding)
        if finding.model == before:
            cells[0] = ""
        elif before:
            table.add_section()
        before = finding.model
        table.add_row(*cells, style="red" if finding.fault else "")
    return table


def _headings() -> list[str]:
    return ["model", "variant", *_GROUPS, "argmax", "greedy", "steps", "made in"]


def _cells(finding: Finding) -> list[str]:
    if finding.refused:
        blanks = [""] * (len(_GROUPS) + 2)
        return [
            finding.model,
            finding.variant,
            *blanks,
            "no CPU kernel",
            f"{finding.seconds:.0f} s",
        ]
    return [
        finding.model,
        finding.variant,
        *(_largest(finding, prefix) for prefix in _GROUPS.values()),
        f"{finding.argmax_agreement:.2%}",
        f"{finding.greedy_identity:.1%}",
        f"{finding.steps:,}",
        f"{finding.seconds:.0f} s",
    ]


def _largest(finding: Finding, prefix: str) -> str:
    """Return the largest difference of a group of tensors; what is no number stays none."""
    found = [x for name, x in finding.worst_difference.items() if name.split(".")[0] == prefix]
    return f"{max(found, key=lambda x: (math.isnan(x), x)):.0e}" if found else "–"


def _caption(findings: Sequence[Finding]) -> str:
    weights = "trained" if any(finding.trained for finding in findings) else "random"
    sentences = max((finding.sentences for finding in findings), default=0)
    packages = ", ".join(f"{name} {version(name)}" for name in ("torch", "onnxruntime"))
    return f"{weights} weights, {sentences} sentences each; {packages}, {processor()}"


if __name__ == "__main__":
    typer.run(main)
