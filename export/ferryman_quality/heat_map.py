"""Attention as a picture: source pieces across, target pieces down, the darker the more.

Dimension key:
    S: source pieces    T: target pieces
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import matplotlib as mpl
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ferryman_quality.attention import AttentionMap
from ferryman_quality.errors import SettingError

_CELL_INCHES: Final = 0.26
_MARGIN_INCHES: Final = 2.2
"""Room for the pieces' names and the scale."""
_MOST_INCHES: Final = 36.0
"""Of either side; beyond it cells become smaller."""
_DOTS_PER_INCH: Final = 150
_FONTS: Final = ("DejaVu Sans", "Noto Sans CJK JP", "Noto Sans Arabic", "Noto Sans Devanagari")
"""The first comes with matplotlib: Latin with all accents, Greek, Cyrillic. The others are taken
for what it lacks, where they are installed."""


def draw(found: AttentionMap, path: Path, *, title: str) -> None:
    """Write a heat map; the suffix of the path says in which format.

    Args:
        found: What to show.
        path: A ``.png``, ``.svg`` or ``.pdf``.
        title: Above the picture.

    Raises:
        SettingError: There is no such format.
        OSError: The file cannot be written.
    """
    formats = FigureCanvasAgg.get_supported_filetypes()
    if path.suffix.removeprefix(".").lower() not in formats:
        raise SettingError(f"{path}: must end in .png, .svg or .pdf")
    cell = _cell_inches(max(found.weights.shape))
    targets, sources = found.weights.shape
    size = (_MARGIN_INCHES + cell * sources, _MARGIN_INCHES + cell * targets)
    with mpl.rc_context({"font.family": _installed_fonts(), "svg.fonttype": "none"}):
        figure = Figure(figsize=size, dpi=_DOTS_PER_INCH, layout="constrained")
        axes = figure.subplots()
        image = axes.imshow(found.weights, cmap="Blues", vmin=0, aspect="equal")
        _name_pieces(axes, found, points=min(9.0, 72 * cell * 0.62))
        axes.set_xlabel("source")
        axes.set_ylabel("target")
        axes.xaxis.set_label_position("top")
        axes.set_title(title, fontsize=10, parse_math=False)
        figure.colorbar(image, ax=axes, shrink=min(1.0, 2.5 / size[1] + 0.3), label="attention")
        figure.savefig(path)


def _cell_inches(longest: int) -> float:
    """Return the side of a cell of which so many stand side by side."""
    return min(_CELL_INCHES, (_MOST_INCHES - _MARGIN_INCHES) / longest)


def _name_pieces(axes: Axes, found: AttentionMap, *, points: float) -> None:
    """Write the pieces along the axes: the source on top, where one begins to read."""
    axes.set_xticks(range(len(found.source)), _names(found.source), rotation=90)
    axes.set_yticks(range(len(found.target)), _names(found.target))
    axes.tick_params(labelsize=points, length=2)
    axes.tick_params(axis="x", top=True, labeltop=True, bottom=False, labelbottom=False)
    for label in (*axes.get_xticklabels(), *axes.get_yticklabels()):
        label.set_parse_math(False)  # a dollar is a dollar


def _names(pieces: Sequence[str]) -> list[str]:
    """Return pieces as they can be printed; reserved ones are in Unicode's private use area."""
    return [
        "".join(f"⟨{ord(c):X}⟩" if unicodedata.category(c) == "Co" else c for c in piece)
        for piece in pieces
    ]


def _installed_fonts() -> list[str]:
    installed = set(font_manager.get_font_names())
    return [font for font in _FONTS if font in installed]
