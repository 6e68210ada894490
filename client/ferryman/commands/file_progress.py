"""How far a file is, for whoever watches the terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ferryman.commands.progress import bar
from ferryman.files.compression import is_compressed
from ferryman.files.decoding import Step
from ferryman.files.text_lines import LineFormat
from ferryman.files.units import Format


class FileProgress:
    """Counts what is done.

    Args:
        show: Is called after each step.
    """

    def __init__(self, show: Callable[[Step], None]) -> None:
        self.tokens = 0
        """Tokens that were generated in this run."""
        self._show = show
        self._began = time.monotonic()

    @property
    def seconds(self) -> float:
        """How long the run has taken."""
        return time.monotonic() - self._began

    def step(self, step: Step) -> None:
        """Note a chunk."""
        self.tokens += step.tokens
        self._show(step)


@contextmanager
def shown_progress(source: Path, format_: Format) -> Iterator[FileProgress]:
    """Show a bar on stderr while the block runs, where stderr is a terminal."""
    if not sys.stderr.isatty():
        yield FileProgress(lambda _: None)
        return
    counts = (
        "{task.fields[units]:,} " + format_.noun + "s",
        "{task.fields[speed]:,.0f} tokens/s",
        "{task.fields[failed]:,} failed",
    )
    with bar(*counts) as display:
        task = display.add_task("", total=_bytes_of(source, format_), units=0, speed=0.0, failed=0)
        units = failed = 0

        def show(step: Step) -> None:
            nonlocal units, failed
            units += step.units
            failed += step.failed
            speed = progress.tokens / max(progress.seconds, 1e-3)
            display.update(task, advance=step.bytes, units=units, speed=speed, failed=failed)

        progress = FileProgress(show)
        yield progress


def _bytes_of(source: Path, format_: Format) -> int | None:
    """Return the bytes of all units; reading them takes moments beside translating them."""
    if isinstance(format_, LineFormat) and not is_compressed(source):
        return source.stat().st_size if source.exists() else None
    return sum(len(unit.raw) for unit in format_.units(source))
