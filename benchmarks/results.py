"""What a benchmark leaves behind: a table on stdout, figures in JSON, and a chart."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table

from benchmarks.environment import Environment

mpl.use("agg")
_TABLE_WIDTH: Final = 160
"""Columns on stdout even where it is a file, for which rich would fold the table."""
_DOTS_PER_INCH: Final = 150


class Results:
    """The results of one benchmark.

    Args:
        out: A folder, made if it is missing.
        name: Of the benchmark, and of its files.
    """

    def __init__(self, out: Path, name: str) -> None:
        out.mkdir(parents=True, exist_ok=True)
        self._stem = out / name
        self.console = Console()
        self.console.width = max(self.console.width, _TABLE_WIDTH)

    def show(self, table: Table, environment: Environment) -> None:
        """Print a table, and what it holds for."""
        self.console.print(table)
        self.console.print(environment.render(), soft_wrap=True, highlight=False)

    def write(self, environment: Environment, figures: Mapping[str, object]) -> None:
        """Write the JSON; dataclasses become objects."""
        document = {"environment": environment, **figures}
        text = json.dumps(document, indent=2, default=_plain)
        self._stem.with_suffix(".json").write_text(text + "\n", "utf-8")

    def draw(self, paint: Callable[[Figure], object], *, width: float, height: float) -> None:
        """Draw the PNG.

        Args:
            paint: Gets an empty figure.
            width: Inches.
            height: Inches.
        """
        figure = Figure(figsize=(width, height), layout="constrained")
        paint(figure)
        figure.savefig(self._stem.with_suffix(".png"), dpi=_DOTS_PER_INCH)


def _plain(value: object) -> Any:
    """Return what JSON has for a value of ours."""
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    raise TypeError(f"{value!r} has no form in JSON")
