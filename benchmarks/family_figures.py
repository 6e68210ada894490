"""What the comparison of families found, as a table for people and as JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """One family on one task."""

    family: str
    task: str
    parameters: int
    updates: int
    target_tokens: int
    """Trained on, ends included and padding not."""
    tokens_per_second: float
    """Target tokens a second of training on one core, the best reading of the run."""
    exact_match: float
    """Share of the test pairs whose translation is the reference, from 0 to 1."""
    bleu: float
    """sacreBLEU's default on the test pairs, 0 to 100."""
    chrf: float
    """chrF2 on the same, 0 to 100."""
    perplexity: float
    """Of the validation pairs, by teacher forcing."""


def as_json(figures: Sequence[Figures]) -> str:
    """Return all figures, one object a run."""
    return json.dumps([asdict(found) for found in figures], indent=2) + "\n"


def as_markdown(figures: Sequence[Figures]) -> str:
    """Return one table a task, with what attention adds to each cell."""
    tasks = list(dict.fromkeys(found.task for found in figures))
    return "\n".join(_table(task, [f for f in figures if f.task == task]) for task in tasks)


_HEADINGS = (
    "family",
    "parameters",
    "updates",
    "tokens/s",
    "exact match",
    "over none",
    "BLEU",
    "over none",
    "chrF",
    "perplexity",
)


def _table(task: str, figures: Sequence[Figures]) -> str:
    lines = [f"### {task}", "", _row(_HEADINGS), _row(["---", *["---:"] * (len(_HEADINGS) - 1)])]
    without = {f.family.removesuffix("-none"): f for f in figures if f.family.endswith("-none")}
    for found in figures:
        cell, _, attention = found.family.partition("-")
        base = without.get(cell) if attention not in ("", "none") else None
        exact, bleu = "", ""
        if base is not None:
            exact = f"{100 * (found.exact_match - base.exact_match):+.1f}"
            bleu = f"{found.bleu - base.bleu:+.1f}"
        cells = (
            found.family,
            f"{found.parameters:,}",
            f"{found.updates:,}",
            f"{found.tokens_per_second:,.0f}",
            f"{100 * found.exact_match:.1f} %",
            exact,
            f"{found.bleu:.1f}",
            bleu,
            f"{found.chrf:.1f}",
            f"{found.perplexity:.1f}",
        )
        lines.append(_row(cells))
    return "\n".join([*lines, ""])


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
