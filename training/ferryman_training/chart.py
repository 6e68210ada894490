"""A figure of one run or of several: loss, learning rate and BLEU over the updates."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from ferryman_training.errors import CheckpointError
from ferryman_training.history import History, Series

_COLOURS: Final = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito 2008: told apart with any kind of colour vision."""

_SIZE: Final = (8.0, 9.0)
_RESOLUTION: Final = 144
"""Inches, and dots per inch."""


def draw(histories: Sequence[History]) -> Figure:
    """Return a figure with a panel for each of loss, learning rate, and BLEU with chrF.

    Args:
        histories: The runs, each of which gets a colour.
    """
    figure = Figure(figsize=_SIZE, layout="constrained")
    losses, rates, scores = figure.subplots(
        3, 1, sharex=True, gridspec_kw={"height_ratios": (3, 2, 3)}
    )
    several = len(histories) > 1
    for number, history in enumerate(histories):
        colour = _COLOURS[number % len(_COLOURS)]
        prefix = f"{history.name}, " if several else ""
        _line(losses, history.updates["loss"], colour, f"{prefix}training")
        _points(losses, history.validations.get("loss"), colour, f"{prefix}validation", "--")
        _line(rates, history.updates["learning_rate"], colour, history.name)
        _points(scores, history.validations.get("bleu"), colour, f"{prefix}BLEU", "-")
        _points(scores, history.validations.get("chrf"), colour, f"{prefix}chrF", ":")
        for step in history.rollbacks:
            losses.axvline(step, color=colour, linewidth=0.8, linestyle="-.")
        if history.skipped:
            floor = [0.0] * len(history.skipped)
            losses.plot(
                history.skipped, floor, "|", color=colour, label=f"{prefix}skipped",
                transform=losses.get_xaxis_transform(), clip_on=False,
            )  # fmt: skip
    _label(losses, "Cross-entropy (nats per target token)")
    _label(rates, "Learning rate")
    _label(scores, "Validation BLEU and chrF")
    losses.set_title(", ".join(history.name for history in histories))
    losses.legend()
    if scores.get_legend_handles_labels()[0]:
        scores.legend()
    scores.set_ylim(bottom=0.0)
    rates.set_ylim(bottom=0.0)
    scores.set_xlabel("Updates")
    scores.xaxis.set_major_locator(MaxNLocator(integer=True))
    scores.xaxis.set_major_formatter(FuncFormatter(lambda step, _: f"{step:,.0f}"))
    return figure


def save(figure: Figure, path: Path) -> None:
    """Write a figure; the end of its name says as what.

    Raises:
        CheckpointError: It cannot be written, or not as that.
    """
    try:
        figure.savefig(path, dpi=_RESOLUTION)
    except ValueError as error:  # matplotlib knows no such format, and says which it knows
        raise CheckpointError(f"{path}: {error}") from error
    except OSError as error:
        raise CheckpointError(f"{path}: could not be written ({error.strerror})") from error


def _line(axes: Axes, series: Series, colour: str, label: str) -> None:
    axes.plot(series.steps, series.values, color=colour, linewidth=1.2, label=label)


def _points(axes: Axes, series: Series | None, colour: str, label: str, style: str) -> None:
    if series is not None:
        axes.plot(
            series.steps, series.values, style,
            color=colour, linewidth=1.2, marker="o", markersize=3.5, label=label,
        )  # fmt: skip


def _label(axes: Axes, text: str) -> None:
    axes.set_ylabel(text)
    axes.grid(visible=True, alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
