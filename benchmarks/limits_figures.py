"""Limits of a machine, floors and profiles of steps, as tables and as a chart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from matplotlib.figure import Figure
from rich.table import Table

from benchmarks.gemm import Precision, Product
from benchmarks.step_runs import Step

_GIGA: Final = 1e9
_MICROSECONDS: Final = 1e6
_OPERATORS: Final = 10


def rate_table(rates: Mapping[str, float]) -> Table:
    """Lay out how fast memory is read."""
    shown = Table("array in", title="Reading memory, one thread")
    shown.add_column("GB/s", justify="right")
    for place, rate in rates.items():
        shown.add_row(place, f"{rate / _GIGA:.1f}")
    return shown


def product_table(products: Sequence[Product]) -> Table:
    """Lay out how fast matrices are multiplied: thousand millions of operations a second."""
    rows = sorted({product.rows for product in products})
    shown = Table("matrix", title="Matrix products, one thread: Gop/s, int8 / fp32, by rows")
    for count in rows:
        shown.add_column(str(count), justify="right", no_wrap=True)
    for matrix in dict.fromkeys(product.matrix for product in products):
        found = {p.rows: p for p in products if p.matrix == matrix}
        shown.add_row(
            f"{matrix.inputs} x {matrix.outputs}",
            *(
                f"{_rate(found[count], 'int8'):.0f} / {_rate(found[count], 'fp32'):.0f}"
                for count in rows
            ),
        )
    return shown


def step_table(steps: Sequence[Step]) -> Table:
    """Lay out the steps beside their floors."""
    shown = Table(title="Decode steps in microseconds; a share is floor / measured")
    shown.add_column("step", no_wrap=True)
    for heading in ("products", "weights", "state", "floor", "graph", "engine"):
        shown.add_column(heading, justify="right", no_wrap=True)
    for heading in ("share of the graph", "share of the engine"):
        shown.add_column(heading, justify="right")
    for step in steps:
        floor = step.floor
        parts = (floor.products, floor.weights, floor.state, floor.total, step.graph, step.engine)
        shown.add_row(
            _name(step),
            *(f"{_MICROSECONDS * part:.0f}" for part in parts),
            f"{floor.total / step.graph:.0%}",
            f"{floor.total / step.engine:.0%}",
        )
    return shown


def profile_table(steps: Sequence[Step]) -> Table:
    """Lay out where the time of the graphs goes: microseconds of a step, by operator."""
    shown = Table("operator", title="Profiles: microseconds of a step (number of operators)")
    totals: dict[str, float] = {}
    for step in steps:
        shown.add_column(_name(step), justify="right", no_wrap=True)
        for share in step.operators:
            totals[share.operator] = totals.get(share.operator, 0) + share.seconds
    longest = sorted(totals, key=totals.__getitem__, reverse=True)
    for operator in longest[:_OPERATORS]:
        shown.add_row(operator, *(_share(step, [operator]) for step in steps))
    shown.add_row("others", *(_share(step, longest[_OPERATORS:]) for step in steps))
    shown.add_row("all", *(_share(step, longest) for step in steps), end_section=True)
    return shown


def chart(steps: Sequence[Step], figure: Figure) -> None:
    """Draw each step as its operators, with its floor as a mark."""
    axes = figure.subplots()
    totals: dict[str, float] = {}
    for step in steps:
        for share in step.operators:
            relative = share.seconds / step.engine
            totals[share.operator] = totals.get(share.operator, 0) + relative
    names = sorted(totals, key=totals.__getitem__, reverse=True)[:_OPERATORS]
    places = range(len(steps))
    left = [0.0] * len(steps)
    for name in names:
        widths = [_seconds(step, [name]) / step.engine for step in steps]
        axes.barh(places, widths, left=left, label=name)
        left = [a + b for a, b in zip(left, widths, strict=True)]
    floors = [step.floor.total / step.engine for step in steps]
    axes.scatter(floors, places, marker="|", s=300, color="black", zorder=3, label="floor")
    axes.set_yticks(places, [_name(step) for step in steps])
    axes.invert_yaxis()
    axes.set_xlabel("share of a step's time in the engine")
    figure.legend(loc="outside right upper", fontsize="small")


def _name(step: Step) -> str:
    return f"{step.scale} {step.variant}, {step.sources}"


def _seconds(step: Step, operators: Sequence[str]) -> float:
    return sum(share.seconds for share in step.operators if share.operator in operators)


def _share(step: Step, operators: Sequence[str]) -> str:
    count = sum(share.count for share in step.operators if share.operator in operators)
    return f"{_MICROSECONDS * _seconds(step, operators):.0f} ({count:.0f})"


def _rate(product: Product, precision: Precision) -> float:
    operations = 2 * product.rows * product.matrix.weights
    return operations / product.seconds[precision] / _GIGA
