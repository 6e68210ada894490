"""``ferryman average``: one checkpoint made of several."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

app = typer.Typer(add_completion=False)


@app.command()
def average(
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN...", help="Folders of runs, or of checkpoints.")
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="OUT", help="Folder of the new checkpoint.")
    ],
    best: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Take the N best validated ones.")
    ] = None,
    last: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Take the N newest ones.")
    ] = None,
    metric: Annotated[
        Literal["bleu", "chrf", "loss"] | None,
        typer.Option(help="What makes one the best. Default: run.metric of the first run."),
    ] = None,
) -> None:
    """Write the mean of the weights of several checkpoints as a new checkpoint.

    Without --best and --last it is that of all checkpoints of the runs.
    """
    from ferryman_training.checkpoint_average import (
        average_checkpoints,
        choose_best,
        choose_last,
        find_checkpoints,
    )
    from ferryman_training.config import load_config
    from ferryman_training.errors import TrainingError

    if best is not None and last is not None:
        raise typer.BadParameter("--best and --last exclude each other")
    try:
        chosen = find_checkpoints(runs)
        if best is not None:
            first = load_config(chosen[0] / "config.toml")
            chosen = choose_best(chosen, best, metric or first.run.metric)
        elif last is not None:
            chosen = choose_last(chosen, last)
        average_checkpoints(chosen).save(out)
    except TrainingError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(error.exit_status) from error
    print(f"{out} is the mean of {len(chosen)}:")
    for path in chosen:
        print(f"  {path}")


if __name__ == "__main__":
    app()
