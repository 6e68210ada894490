"""How far a long translation is, for whoever watches the terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Advance = Callable[[int], None]
"""Notes that one more line is done, of so many bytes."""


@contextmanager
def progress_of(total_bytes: int | None) -> Iterator[Advance]:
    """Show progress on stderr while the block runs, where a person sees it and it does no harm.

    That is when stderr is a terminal, and stdout is none, or results and progress would mix.

    Args:
        total_bytes: Size of the input; None when nobody knows.
    """
    if not sys.stderr.isatty() or sys.stdout.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[lines]:,} lines"),
        TimeElapsedColumn(),
        TextColumn("elapsed,"),
        TimeRemainingColumn(),
        TextColumn("to go"),
    )
    console = Console(stderr=True)
    # Results go straight to stdout: rich must not take them for something to show.
    with Progress(*columns, console=console, transient=True, redirect_stdout=False) as progress:
        task = progress.add_task("", total=total_bytes, lines=0)
        lines = 0

        def advance(size: int) -> None:
            nonlocal lines
            lines += 1
            progress.update(task, advance=size, lines=lines)

        yield advance
