"""How far a long translation is, for whoever watches the terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress

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
    with bar("{task.fields[lines]:,} lines") as progress:
        task = progress.add_task("", total=total_bytes, lines=0)
        lines = 0

        def advance(size: int) -> None:
            nonlocal lines
            lines += 1
            progress.update(task, advance=size, lines=lines)

        yield advance


def bar(*counts: str) -> Progress:
    """Return a bar on stderr that goes when it is done, with the time it took and has to go.

    Args:
        counts: What else it shows, as rich's templates.
    """
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    return Progress(
        BarColumn(),
        TaskProgressColumn(),
        *map(TextColumn, counts),
        TimeElapsedColumn(),
        TextColumn("elapsed,"),
        TimeRemainingColumn(),
        TextColumn("to go"),
        console=Console(stderr=True),
        transient=True,
        # Results go straight to stdout: rich must not take them for something to show.
        redirect_stdout=False,
    )
