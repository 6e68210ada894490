"""How far the making of a corpus is, for whoever watches."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)


class TerminalWatch:
    """Shows one bar for all downloads, and a line for what is done.

    Args:
        console: Where; where that is no terminal, there are only the lines.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._here: dict[str, int] = {}
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._progress.add_task("reading the index", total=None)

    def plan(self, size: int) -> None:
        """So many bytes are to be downloaded."""
        self._progress.update(self._task, total=size)
        self.say(f"packages: {size / 2**20:,.0f} MiB, less what is here from before")

    def downloading(self, name: str, *, here: int) -> None:
        """So many bytes of a file are here by now."""
        self._here[name] = here
        done = sum(self._here.values())
        self._progress.update(self._task, description=name, completed=done)

    def say(self, text: str) -> None:
        """Something is done."""
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._progress.stop()
