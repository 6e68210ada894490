"""An evaluation as one object for programs, and as tables for people."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ferryman_quality.evaluation import Difference, Evaluation, Report
from ferryman_quality.metrics import Metric
from ferryman_quality.worst import Sentence

_SIGNIFICANT = 0.05


def document(report: Report) -> dict[str, Any]:
    """Return a report as plain values, to be written as JSON."""
    found = _figures(report.system)
    found["bootstrap"] = {"samples": report.samples, "seed": report.seed, "level": 0.95}
    found["worst"] = [asdict(sentence) for sentence in report.worst]
    if report.against is not None:
        found["against"] = _figures(report.against)
        found["differences"] = {
            metric.value: {
                **asdict(difference.bootstrap),
                "randomisation_p_value": difference.randomisation_p_value,
            }
            for metric, difference in report.differences.items()
        }
    return found


def _figures(system: Evaluation) -> dict[str, Any]:
    figures: dict[str, Any] = {"system": system.name, "sentences": system.sentences}
    for metric, found in system.scores.items():
        interval = system.intervals[metric]
        figures[metric.value] = round(found.value, 2)
        figures[f"{metric.value}_interval"] = [round(interval.low, 2), round(interval.high, 2)]
        figures[f"{metric.value}_signature"] = found.signature
    return {
        **figures,
        "search": system.output.search,
        "seconds": round(system.output.seconds, 2),
        "sentences_per_second": round(_speed(system), 1),
        **system.output.figures,
    }


def _speed(system: Evaluation) -> float:
    """Return sentences a second."""
    return system.sentences / max(system.output.seconds, 1e-9)


def tables(report: Report) -> RenderableType:
    """Return a report for people."""
    parts: list[RenderableType] = [_scores(report.system), _signatures(report.system)]
    parts.append(_run(report.system))
    if report.against is not None:
        parts += [_run(report.against), _differences(report, report.against)]
    if report.worst:
        parts.append(Text("\nThe worst sentences, by chrF", style="bold"))
        parts += [_sentence(sentence) for sentence in report.worst]
    return Group(*parts)


def _table(title: str) -> Table:
    return Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)


def _scores(system: Evaluation) -> Table:
    table = _table(f"{system.sentences:,} sentences")
    table.add_column("metric")
    table.add_column("score", justify="right")
    table.add_column("95 % interval", justify="right")
    table.add_column("")
    for metric, found in system.scores.items():
        interval = system.intervals[metric]
        table.add_row(
            metric.label,
            f"{found.value:.2f}",
            f"{interval.low:.2f} – {interval.high:.2f}",
            Text("less is better" if metric.falls else "", style="dim"),
        )
    return table


def _signatures(system: Evaluation) -> Table:
    grid = Table.grid(padding=(0, 2))
    for metric, found in system.scores.items():
        # Never folded, so that it can be copied.
        grid.add_row(metric.label, Text(found.signature, style="dim", no_wrap=True))
    return grid


def _run(system: Evaluation) -> RenderableType:
    """What it took to translate the test set."""
    grid = Table.grid(padding=(0, 2))
    grid.add_row("search", system.output.search)
    grid.add_row("time", f"{system.output.seconds:.1f} s, {_speed(system):,.1f} sentences/s")
    for name, value in system.output.remarks.items():
        grid.add_row(name, value)
    return Group(Text(f"\n{system.name}", style="bold"), grid)


def _differences(report: Report, against: Evaluation) -> Table:
    table = _table("\nDifference")
    table.add_column("metric")
    for heading in (against.name, report.system.name):
        table.add_column(Text(heading, overflow="fold"), justify="right")
    for heading in ("difference", "95 % interval", "p (bootstrap)", "p (randomised)"):
        table.add_column(heading, justify="right")
    for metric, difference in report.differences.items():
        table.add_row(
            metric.label,
            f"{against.scores[metric].value:.2f}",
            f"{report.system.scores[metric].value:.2f}",
            *_difference(metric, difference),
        )
    table.caption = "p: how probable so great a difference is where there is none"
    table.caption_justify = "left"
    return table


def _difference(metric: Metric, difference: Difference) -> Iterator[Text]:
    """Yield the cells of a difference, coloured where it is significant by both tests."""
    found = difference.bootstrap
    clear = max(found.p_value, difference.randomisation_p_value) < _SIGNIFICANT
    better = (found.delta < 0) == metric.falls
    style = ("green" if better else "red") if clear else "dim"
    yield Text(f"{found.delta:+.2f}", style=style)
    yield Text(f"{found.low:+.2f} – {found.high:+.2f}")
    for p_value in (found.p_value, difference.randomisation_p_value):
        yield Text(f"{p_value:.4f}")


def _sentence(sentence: Sentence) -> RenderableType:
    grid = Table.grid(padding=(0, 2))
    grid.add_row("source", Text(sentence.source))
    grid.add_row("translation", Text(sentence.translation, style="yellow"))
    grid.add_row("reference", Text(sentence.reference))
    title = Text(f"{sentence.number}. chrF {sentence.chrf:.1f}", style="dim")
    return Padding(Group(title, grid), (0, 0, 1, 0))
