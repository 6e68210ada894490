"""``ferryman train``: train a translation model, or go on with one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False)


@app.command()
def train(
    config: Annotated[
        Path, typer.Argument(metavar="CONFIG.toml", help="The run; see training/README.md.")
    ],
    out: Annotated[
        Path, typer.Argument(metavar="OUT", help="Folder of the run: checkpoint, log, state.")
    ],
    overrides: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="SECTION.KEY=VALUE",
            help="Change a setting of the config, as in --set run.steps=20000. Repeatable.",
        ),
    ] = None,
    processes: Annotated[
        int | None,
        typer.Option(min=1, help="Processes that share the work. Default: one a core on a CPU."),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Measure a few updates, say what the run takes, and stop."),
    ] = False,
) -> None:
    """Train a translation model, or go on with one.

    The same command goes on where a stopped run was. Ctrl-C stops after the current update and
    saves; a second one stops at once. Under torchrun this is one of the processes that it started.
    """
    from ferryman_training.config import load_config
    from ferryman_training.errors import TrainingError
    from ferryman_training.launch import choose_processes, launch, require_files, started_by_others

    changes = overrides or []
    arguments = ["--dry-run"] if dry_run else []
    arguments += [str(config), str(out), *changes]
    if started_by_others():
        from ferryman_training.worker import run

        if processes is not None:
            raise typer.BadParameter("--processes: what started this process decides how many")
        raise typer.Exit(run(arguments))
    try:
        checked = load_config(config, changes)
        require_files(checked, out)
        count = choose_processes(checked, processes)
    except TrainingError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(error.exit_status) from error
    raise typer.Exit(launch(arguments, checked, processes=count))


if __name__ == "__main__":
    app()
