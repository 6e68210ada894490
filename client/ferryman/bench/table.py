"""Figures of loops as a table for people."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from ferryman.bench.figures import Figures, Latency


def table_of(figures: Sequence[Figures]) -> Table:
    """Return a table, a row for each level."""
    has_first_token = any(row.first_token for row in figures)
    table = Table(caption="times in milliseconds, of answered calls")
    for name in ("load", "calls", "answered", "refused", "failed"):
        table.add_column(name, justify="left" if name == "load" else "right")
    for name in ("answers/s", "tokens/s", "p50", "p95", "p99"):
        table.add_column(name, justify="right")
    if has_first_token:
        table.add_column("first token p50 / p99", justify="right")
    table.add_column("refusal p99", justify="right")
    for row in figures:
        cells = [
            str(row.level),
            *(f"{n:,}" for n in (row.calls, row.answered, row.refused)),
            f"{row.calls - row.answered - row.refused:,}",
            f"{row.answers_per_second:,.1f}",
            f"{row.tokens_per_second:,.0f}",
            *(_milliseconds(row.latency, name) for name in ("p50", "p95", "p99")),
        ]
        if has_first_token:
            times = (_milliseconds(row.first_token, name) for name in ("p50", "p99"))
            cells.append(" / ".join(times))
        table.add_row(*cells, _milliseconds(row.refusal, "p99"))
    return table


def _milliseconds(latency: Latency | None, name: str) -> str:
    return "" if latency is None else f"{getattr(latency, name) * 1000:,.1f}"
