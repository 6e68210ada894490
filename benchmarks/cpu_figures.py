"""The comparison on the CPU as a table and as a chart."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure
from rich.table import Table

from benchmarks.cpu_runs import Measurement
from benchmarks.measurement import Spread, Timing


def table(measured: Sequence[Measurement]) -> Table:
    """Lay the figures out; a ratio above 1 says that ferryman is faster."""
    shown = Table(
        title="CPU milliseconds a sentence, and ratios: CTranslate2's time / ferryman's "
        "of the same round, min / median / max"
    )
    for heading in ("model", "workload", "its batches"):
        shown.add_column(heading, no_wrap=True)
    for heading in ("sentences", "same", "ferryman", "CTranslate2"):
        shown.add_column(heading, justify="right", no_wrap=True)
    for heading in ("CPU ratio", "wall ratio", "floor", "aim"):
        shown.add_column(heading, justify="right", no_wrap=True)
    for row in measured:
        shown.add_row(
            f"{row.scale}, {row.bundle}",
            row.workload,
            row.setting,
            str(row.sentences),
            f"{row.identical:.0%}",
            *(f"{_milliseconds(row, timings):.2f}" for timings in (row.ours, row.theirs)),
            f"[{_colour(row)}]{row.cpu_ratio.render()}[/]",
            row.wall_ratio.render(),
            f"{row.bounds.floor:.2f}",
            f"{row.bounds.aim:.2f}",
        )
    return shown


def chart(measured: Sequence[Measurement], figure: Figure) -> None:
    """Draw the median of the CPU ratios with their spread, and the floors."""
    axes = figure.subplots()
    places = range(len(measured))
    medians = [row.cpu_ratio.median for row in measured]
    below = [row.cpu_ratio.median - row.cpu_ratio.least for row in measured]
    above = [row.cpu_ratio.greatest - row.cpu_ratio.median for row in measured]
    axes.barh(places, medians, xerr=(below, above), color="#4878a8", capsize=3, label="median")
    floors = [row.bounds.floor for row in measured]
    axes.scatter(floors, places, marker="|", s=300, color="#c03030", zorder=3, label="floor")
    axes.axvline(1, color="grey", linewidth=0.8)
    axes.set_yticks(places, [f"{row.scale}: {row.workload}" for row in measured])
    axes.invert_yaxis()
    axes.set_xlabel("CPU time of CTranslate2 / ferryman, with the spread of the rounds")
    axes.legend(loc="lower right")


def _milliseconds(row: Measurement, timings: Sequence[Timing]) -> float:
    return 1000 * Spread.of([timing.cpu for timing in timings]).median / row.sentences


def _colour(row: Measurement) -> str:
    median = row.cpu_ratio.median
    if median < row.bounds.floor:
        return "red"
    return "green" if median >= row.bounds.aim else "default"
