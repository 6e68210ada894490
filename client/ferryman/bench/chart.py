"""Figures of loops as a picture: how latency grows with what is answered."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ferryman.bench.figures import Figures


def draw(figures: Sequence[Figures], path: Path, *, title: str) -> None:
    """Draw latency and refusals over the levels, and write the picture.

    Args:
        figures: Of each level, in order.
        path: Of the picture; its suffix says which format.
        title: Above it.
    """
    from matplotlib.figure import Figure  # the extra plots; the client does without

    picture = Figure(figsize=(9, 6), layout="constrained")
    latency, rates = picture.subplots(2, sharex=True)
    places = range(len(figures))
    for name in ("p50", "p95", "p99"):
        times = [getattr(row.latency, name) * 1000 if row.latency else None for row in figures]
        latency.plot(places, times, marker="o", label=name)
    if any(row.first_token for row in figures):
        first = [row.first_token.p50 * 1000 if row.first_token else None for row in figures]
        latency.plot(places, first, marker="x", linestyle="--", label="first token p50")
    latency.set_ylabel("milliseconds")
    latency.set_title(title)
    latency.legend()
    rates.plot(places, [row.answers_per_second for row in figures], marker="o", label="answered")
    spans = [row.answered / row.answers_per_second if row.answered else None for row in figures]
    refused = [row.refused / span if span else 0 for row, span in zip(figures, spans, strict=True)]
    rates.plot(places, refused, marker="s", label="refused")
    rates.set_ylabel("calls a second")
    rates.set_xticks(list(places), [str(row.level) for row in figures])
    rates.legend()
    for axes in (latency, rates):
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
    picture.savefig(path, dpi=120)
