"""``ferryman evaluate``: how well a bundle or a checkpoint translates a test set."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ferryman_quality.settings import Device, Settings

if TYPE_CHECKING:
    from ferryman_quality.evaluation import Evaluation
    from ferryman_quality.pairs import Pair

app = typer.Typer(add_completion=False, rich_markup_mode=None)

_TABLE_WIDTH = 100
"""Columns where stdout is a file, for which rich would take 80."""


@app.command()
def evaluate(
    system: Annotated[
        str, typer.Argument(help="Directory of a bundle or checkpoint, or an installed model.")
    ],
    test: Annotated[
        Path,
        typer.Argument(
            metavar="TEST.tsv", help="Sentence pairs, source TAB target; also .gz and .xz."
        ),
    ],
    *,
    against: Annotated[
        str | None,
        typer.Option(metavar="OTHER", help="A bundle or checkpoint to compare with."),
    ] = None,
    beam: Annotated[
        int | None,
        typer.Option(min=1, max=64, help="Beam size; 1 is greedy. [default: the model's]"),
    ] = None,
    length_penalty: Annotated[
        float | None,
        typer.Option(min=0, max=10, help="Exponent of the length. [default: the model's]"),
    ] = None,
    shortlist: Annotated[
        bool | None,
        typer.Option(
            "--shortlist/--no-shortlist",
            help="Choose tokens from the bundle's shortlist only. [default: the model's]",
        ),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Engine workers. [default: the usable cores]")
    ] = None,
    max_rows: Annotated[
        int | None,
        typer.Option(min=1, help="Hypotheses that each worker decodes at a time. [default: 64]"),
    ] = None,
    device: Annotated[Device, typer.Option(help="What to compute on.")] = Device.AUTO,
    variant: Annotated[
        str | None,
        typer.Option(help="Variant of a bundle. [default: the fastest for the device]"),
    ] = None,
    worst: Annotated[int, typer.Option(min=0, help="Show so many of the worst sentences.")] = 10,
    samples: Annotated[
        int, typer.Option(min=100, help="Test sets drawn for intervals and significance.")
    ] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Of the draws.")] = 12345,
    output: Annotated[
        Path | None, typer.Option(help="Write the translations here, one a line.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object instead of tables.")
    ] = False,
) -> None:
    """Translate a test set; print BLEU, chrF, chrF++ and TER, and the worst sentences.

    A bundle is translated by the engine that serves it, a checkpoint greedily in torch. Intervals
    come from bootstrap resampling. With --against, both systems translate, and two paired tests
    say whether they differ; OTHER is the baseline.
    """
    from rich.console import Console

    from ferryman_quality.evaluation import report
    from ferryman_quality.pairs import read_pairs
    from ferryman_quality.rendering import document, tables

    settings = Settings(
        beam_size=beam,
        length_penalty=length_penalty,
        shortlist=shortlist,
        workers=workers,
        max_rows=max_rows,
        device=device,
        variant=variant,
    )
    pairs = read_pairs(test)
    found = _evaluate(system, pairs, settings, samples=samples, seed=seed)
    if output is not None:
        lines = "".join(f"{line}\n" for line in found.output.translations)
        output.write_text(lines, encoding="utf-8")
    other = against and _evaluate(against, pairs, settings, samples=samples, seed=seed)
    result = report(found, other or None, pairs, worst=worst, samples=samples, seed=seed)
    if as_json:
        print(json.dumps(document(result), indent=2, ensure_ascii=False))
        return
    console = Console()
    if not console.is_terminal:
        console.width = max(console.width, _TABLE_WIDTH)
    console.print(tables(result))


def _evaluate(
    name: str, pairs: Sequence[Pair], settings: Settings, *, samples: int, seed: int
) -> Evaluation:
    """Translate a test set with a system and score it."""
    from ferryman_quality.evaluation import evaluate
    from ferryman_quality.systems import open_system

    system = open_system(name)
    with _progress(name, len(pairs)) as on_line:
        output = system.translate([pair.source for pair in pairs], settings, on_line)
    return evaluate(name, output, pairs, samples=samples, seed=seed)


@contextmanager
def _progress(name: str, total: int) -> Iterator[Callable[[], None]]:
    """Show on stderr how far the translation is; yields what counts one line."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(name, total=total, rate="")

        def count() -> None:
            progress.advance(task)
            speed = progress.tasks[0].speed
            progress.update(task, rate=f"{speed:.0f} sentences/s" if speed else "")

        yield count
