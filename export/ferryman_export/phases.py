"""What a person sees while a bundle is made."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console


class Phases:
    """Shows each phase while it runs, and then how long it took and what it found."""

    def __init__(self, console: Console) -> None:
        self._console = console

    @contextmanager
    def phase(self, name: str) -> Iterator[list[str]]:
        """Run a phase; what is appended to the list is shown when it is over."""
        found: list[str] = []
        began = time.monotonic()
        with self._console.status(f"{name} …"):
            yield found
        seconds = time.monotonic() - began
        self._console.print(
            f"[green]✓[/] {name:<34} [dim]{seconds:6.1f} s[/]  {', '.join(found)}",
            highlight=False,
            soft_wrap=True,
        )
