"""One training process: ``python -m ferryman_training.worker CONFIG OUT [section.key=value ...]``.

`ferryman train` starts one or more of these on this machine. Started by `torchrun -m
ferryman_training`, on one machine or several, `ferryman train` is one of these.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from pathlib import Path

from rich.console import Console

from ferryman_training.config import TrainingConfig, load_config
from ferryman_training.display import Display, LiveDisplay, PlainDisplay
from ferryman_training.errors import TrainingError
from ferryman_training.history import LOG
from ferryman_training.interruption import STOPPED
from ferryman_training.launch import require_work
from ferryman_training.rehearsal import rehearse
from ferryman_training.replicas import Replicas
from ferryman_training.reporting import Reporter
from ferryman_training.scalars import Scalars
from ferryman_training.trainer import train


def run(argv: Sequence[str] | None = None) -> int:
    """Do what the command line says and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m ferryman_training.worker")
    parser.add_argument("config", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("overrides", nargs="*", metavar="section.key=value")
    parser.add_argument("--dry-run", action="store_true")
    options = parser.parse_args(argv)
    replicas = None
    try:
        config = load_config(options.config, options.overrides)
        replicas = Replicas.join()
        require_work(config, replicas.world)
        return _work(config, options.out, replicas, dry=options.dry_run)
    except TrainingError as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_status
    finally:
        if replicas is not None:
            replicas.leave()


def _work(config: TrainingConfig, out: Path, replicas: Replicas, *, dry: bool) -> int:
    console = Console(quiet=not replicas.leads)
    with _display(config, console) as display:
        if dry:
            reporter = Reporter(config, display, log=None)
            rehearsal = rehearse(config, out, reporter=reporter, replicas=replicas)
            console.print(rehearsal.table())
            return 0
        log = out / LOG if replicas.leads else None
        with _scalars(config, out, replicas) as scalars:
            reporter = Reporter(config, display, log=log, scalars=scalars)
            progress = train(config, out, reporter=reporter, replicas=replicas)
    return 0 if progress.finished else STOPPED


def _scalars(
    config: TrainingConfig, out: Path, replicas: Replicas
) -> AbstractContextManager[Scalars | None]:
    if config.run.tensorboard and replicas.leads:
        return closing(Scalars(out))
    return nullcontext()


def _display(config: TrainingConfig, console: Console) -> Display:
    if console.is_terminal and not console.quiet:
        return LiveDisplay(console, config.name)
    return PlainDisplay(console)


if __name__ == "__main__":
    sys.exit(run())
