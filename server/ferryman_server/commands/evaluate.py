"""``ferryman evaluate``: BLEU, chrF and speed of a bundle on a test set."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from ferryman_quality import Metric, Score
    from ferryman_server.decoding import AppliedOptions
    from ferryman_server.evaluation import Run

app = typer.Typer(add_completion=False, rich_markup_mode=None)

_MOST_QUEUED_TOKENS = 1 << 20
"""A test set keeps hundreds of sentences waiting, so that batches are full."""


@app.command()
def evaluate(
    bundle: Annotated[
        str, typer.Argument(help="Directory of a bundle, or name of an installed model.")
    ],
    test: Annotated[
        Path, typer.Argument(metavar="TEST.tsv", help="Sentence pairs, source TAB target.")
    ],
    *,
    beam: Annotated[
        int | None,
        typer.Option(min=1, max=64, help="Beam size; 1 is greedy. [default: the model's]"),
    ] = None,
    length_penalty: Annotated[
        float | None,
        typer.Option(min=0, max=10, help="Exponent of the length. [default: the model's]"),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Engine workers. [default: the usable cores]")
    ] = None,
    max_rows: Annotated[
        int, typer.Option(min=1, help="Hypotheses in the running batch of each worker.")
    ] = 64,
    output: Annotated[
        Path | None, typer.Option(help="Write the translations here, one a line.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object instead of a table.")
    ] = False,
) -> None:
    """Translate a test set through the engine; print BLEU and chrF, and what the engine did."""
    from ferryman_quality import Metric, read_pairs, score
    from ferryman_server.config import load_config
    from ferryman_server.decoding import apply_options
    from ferryman_server.evaluation import measure
    from ferryman_server.installed_models import find_bundle
    from ferryman_server.loading import load_bundle, running_engine
    from ferryman_server.request import DecodingOptions

    pairs = read_pairs(test)
    loaded = load_bundle(find_bundle(bundle))
    options = apply_options(
        DecodingOptions(beam_size=beam, length_penalty=length_penalty), loaded.manifest
    )
    config = load_config(
        {
            "workers": None if workers is None else str(workers),
            "max_rows": str(max(max_rows, options.beam_size)),
            "max_queued_tokens": str(_MOST_QUEUED_TOKENS),
        }
    )
    with running_engine(loaded, config) as engine, _progress(len(pairs)) as on_line:
        translations, run = measure(
            engine, loaded, [pair.source for pair in pairs], options, on_line=on_line
        )
    if output is not None:
        output.write_text("".join(f"{line}\n" for line in translations), encoding="utf-8")
    references = [pair.target for pair in pairs]
    scores = {metric: score(metric, translations, references) for metric in Metric}
    figures = _figures(scores, run, options)
    print(json.dumps(figures, indent=2) if as_json else _table(figures))


@contextmanager
def _progress(total: int) -> Iterator[Callable[[], None]]:
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
        TextColumn("translating"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("translating", total=total, rate="")

        def count() -> None:
            progress.advance(task)
            speed = progress.tasks[0].speed
            progress.update(task, rate=f"{speed:.0f} sentences/s" if speed else "")

        yield count


def _figures(scores: dict[Metric, Score], run: Run, options: AppliedOptions) -> dict[str, Any]:
    statistics = run.statistics
    return {
        "sentences": run.sentences,
        **{metric.value: round(found.value, 2) for metric, found in scores.items()},
        **{f"{metric.value}_signature": found.signature for metric, found in scores.items()},
        "beam_size": options.beam_size,
        "length_penalty": options.length_penalty,
        "seconds": round(run.seconds, 2),
        "sentences_per_second": round(run.sentences_per_second, 1),
        "tokens_per_second": round(statistics.tokens / max(run.seconds, 1e-9), 1),
        "steps": statistics.steps,
        "mean_occupancy": round(statistics.occupancy, 4),
        "mean_occupancy_while_sentences_wait": round(statistics.occupancy_waiting, 4),
        "state_bytes_copied_per_step": round(run.bytes_copied_per_step),
    }


def _table(figures: dict[str, Any]) -> str:
    """Return the figures for people, in two columns."""
    search = "greedy" if figures["beam_size"] == 1 else f"beam {figures['beam_size']}"
    rows = [
        ("BLEU", f"{figures['bleu']:.2f}   {figures['bleu_signature']}"),
        ("chrF", f"{figures['chrf']:.2f}   {figures['chrf_signature']}"),
        ("search", f"{search}, length penalty {figures['length_penalty']:g}"),
        ("sentences", f"{figures['sentences']} in {figures['seconds']:.1f} s"),
        (
            "speed",
            f"{figures['sentences_per_second']:.1f} sentences/s, "
            f"{figures['tokens_per_second']:.0f} tokens/s",
        ),
        ("decoder steps", f"{figures['steps']}"),
        (
            "batch occupancy",
            f"{figures['mean_occupancy']:.1%} on average, "
            f"{figures['mean_occupancy_while_sentences_wait']:.1%} while sentences wait",
        ),
        ("state copied", f"{_bytes(figures['state_bytes_copied_per_step'])} a step"),
    ]
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:<{width}}  {value}" for name, value in rows)


def _bytes(count: float) -> str:
    units = ("bytes", "KiB", "MiB", "GiB")
    power = min(int(math.log(max(count, 1), 1024)), len(units) - 1)
    return f"{count / 1024**power:.{0 if power == 0 else 1}f} {units[power]}"
