"""``ferryman plot``: the course of training runs as a figure."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False)


@app.command()
def plot(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Folders of runs.")],
    out: Annotated[
        Path,
        typer.Option("--out", "-o", metavar="FIGURE", help="What to write: .png, .pdf or .svg."),
    ],
) -> None:
    """Draw loss, learning rate, BLEU and chrF of training runs over their updates."""
    from ferryman_training.chart import draw, save
    from ferryman_training.errors import TrainingError
    from ferryman_training.history import read_history

    try:
        save(draw([read_history(run) for run in runs]), out)
    except TrainingError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(error.exit_status) from error
    print(out)


if __name__ == "__main__":
    app()
