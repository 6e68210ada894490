"""The comparison of servers as a table and as a chart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure
from rich.table import Table

from benchmarks.measurement import Spread


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """What two servers take."""

    unloaded: Mapping[str, float]
    """Latency in seconds that 99 % of single requests do not exceed."""
    bound: float
    """Seconds within which 99 % must be answered under load, the same for both."""
    setting: str
    """Of the micro-batcher."""
    rates: Mapping[str, Sequence[float]]
    """Highest requests a second, of each repetition."""
    ratio: Spread
    """Ferryman's rate over CTranslate2's of the same repetition."""


def table(capacity: Capacity) -> Table:
    """Lay the figures out."""
    shown = Table(
        title=f"Requests/s of which 99 % are answered within {1000 * capacity.bound:.0f} ms; "
        f"ratio {capacity.ratio.render()}",
        caption=f"micro-batches of CTranslate2: {capacity.setting}",
    )
    shown.add_column("server")
    shown.add_column("unloaded p99 ms", justify="right")
    shown.add_column("requests/s, min / median / max", justify="right")
    for name, rates in capacity.rates.items():
        shown.add_row(name, f"{1000 * capacity.unloaded[name]:.1f}", Spread.of(rates).render())
    return shown


def chart(capacity: Capacity, figure: Figure) -> None:
    """Draw the rate of each repetition."""
    axes = figure.subplots()
    for place, rates in enumerate(capacity.rates.values()):
        axes.barh(place, Spread.of(rates).median, color="#4878a8")
        axes.scatter(rates, [place] * len(rates), color="black", zorder=3, s=12)
    axes.set_yticks(range(len(capacity.rates)), list(capacity.rates))
    axes.invert_yaxis()
    axes.set_xlabel(f"requests/s with 99 % answered within {1000 * capacity.bound:.0f} ms")
