"""What a person sees of a run: a live picture on a terminal, plain lines anywhere else."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table

from ferryman_training.figures import Reading
from ferryman_training.validation import Sample, Scores

_LONG_PHASE = 5.0
"""Seconds after which it is worth saying how long something took."""


class Display(Protocol):
    """Where a `Reporter` shows what happens; a context manager."""

    def __enter__(self) -> Self:
        """Begin to show."""
        ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End it and leave the terminal as it was."""
        ...

    def line(self, text: str) -> None:
        """Show a line that stays."""
        ...

    def phase(self, name: str) -> None:
        """Show that something else than updates is going on."""
        ...

    def stopping(self) -> None:
        """Show that the run will stop; called by a signal handler, in the middle of anything."""
        ...

    def phase_done(self, name: str, seconds: float) -> None:
        """Show that it is over."""
        ...

    def reading(self, reading: Reading, *, logged: bool) -> None:
        """Show where the run stands; `logged` is true for the readings that the log gets."""
        ...

    def scores(self, step: int, scores: Scores, samples: Sequence[Sample]) -> None:
        """Show a validation."""
        ...


class PlainDisplay:
    """Prints lines, for files and pipes."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        pass

    def line(self, text: str) -> None:
        """See `Display`."""
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)

    def phase(self, name: str) -> None:
        """See `Display`."""
        self.line(f"{name} ...")

    def stopping(self) -> None:
        """See `Display`; a line cannot be printed in the middle of another, so none is."""

    def phase_done(self, name: str, seconds: float) -> None:
        """See `Display`."""
        if seconds >= _LONG_PHASE:
            self.line(f"{name} took {duration(seconds)}")

    def reading(self, reading: Reading, *, logged: bool) -> None:
        """See `Display`."""
        if logged:
            self.line(
                f"step {reading.step:>6,}/{reading.steps:,}  epoch {reading.epoch}  "
                f"loss {reading.loss:.3f}  perplexity {reading.perplexity:.1f}  "
                f"rate {reading.learning_rate:.2e}  {reading.tokens_per_second:,.0f} tokens/s  "
                f"{duration(reading.seconds_left)} left"
            )

    def scores(self, step: int, scores: Scores, samples: Sequence[Sample]) -> None:
        """See `Display`."""
        self.line(
            f"validation at step {step:,}: BLEU {scores.bleu:.1f}  chrF {scores.chrf:.1f}  "
            f"loss {scores.loss:.3f}" + _alignment(scores)
        )
        for sample in samples:
            self.line(
                f"    source       {sample.source}\n"
                f"    translation  {sample.translation}\n"
                f"    reference    {sample.reference}"
            )


class LiveDisplay:
    """Keeps a picture of the run at the bottom of a terminal; what stays scrolls above it."""

    def __init__(self, console: Console, title: str) -> None:
        self._title = title
        self._phase: str | None = None
        self._reading: Reading | None = None
        self._scores: tuple[int, Scores] | None = None
        self._spinner = Spinner("dots")
        self._live = Live(
            get_renderable=self._render,
            console=console,
            refresh_per_second=4,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._live.stop()

    def line(self, text: str) -> None:
        """See `Display`."""
        self._live.console.print(text, highlight=False, markup=False)

    def phase(self, name: str) -> None:
        """See `Display`."""
        self._phase = name

    def stopping(self) -> None:
        """See `Display`; the next picture shows it."""
        self._phase = "stopping after this update"

    def phase_done(self, name: str, seconds: float) -> None:
        """See `Display`."""
        self._phase = None
        if seconds >= _LONG_PHASE:
            self._live.console.print(f"[dim]{name} took {duration(seconds)}[/dim]", highlight=False)

    def reading(self, reading: Reading, *, logged: bool) -> None:  # noqa: ARG002
        """See `Display`; the picture shows every reading."""
        self._reading = reading

    def scores(self, step: int, scores: Scores, samples: Sequence[Sample]) -> None:
        """See `Display`."""
        table = Table.grid(padding=(0, 2))
        table.add_column(style="dim", no_wrap=True)
        table.add_column(overflow="fold")
        for number, sample in enumerate(samples):
            if number:
                table.add_row()
            table.add_row("source", escape(sample.source))
            table.add_row("translation", f"[bold]{escape(sample.translation)}[/bold]")
            table.add_row("reference", f"[dim]{escape(sample.reference)}[/dim]")
        heading = (
            f"step {step:,}: BLEU {scores.bleu:.1f}{self._gain(scores)}, chrF {scores.chrf:.1f}"
            + _alignment(scores)
        )
        self._live.console.print(
            Panel(table, title=heading, title_align="left", border_style="dim")
        )
        self._scores = (step, scores)

    def _gain(self, scores: Scores) -> str:
        return f" ({scores.bleu - self._scores[1].bleu:+.1f})" if self._scores else ""

    def _render(self) -> RenderableType:
        reading = self._reading
        phase = self._phase or ("starting" if reading is None else None)
        rows: list[RenderableType] = []
        if reading is not None:
            rows += [_bar(reading), _figures(reading, self._scores)]
        if phase is not None:
            self._spinner.update(text=f"{phase} ...")
            rows.append(self._spinner)
        return Panel(Group(*rows), title=escape(self._title), title_align="left")


def _alignment(scores: Scores) -> str:
    """Return what is said of the aligned head, if there is one."""
    if scores.agreement is None:
        return ""
    return f"  alignment error {scores.agreement.error_rate:.1%}"


def _bar(reading: Reading) -> RenderableType:
    grid = Table.grid(expand=True, padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(ratio=1)
    grid.add_column(justify="right", no_wrap=True)
    grid.add_row(
        f"step [bold]{reading.step:,}[/bold]/{reading.steps:,}",
        ProgressBar(total=reading.steps, completed=reading.step),
        f"[bold]{duration(reading.seconds_left)}[/bold] left",
    )
    return grid


def _figures(reading: Reading, scores: tuple[int, Scores] | None) -> RenderableType:
    grid = Table.grid(padding=(0, 3, 0, 0))
    grid.add_row(
        f"loss [bold]{reading.loss:.3f}[/bold]",
        f"perplexity [bold]{reading.perplexity:,.1f}[/bold]",
        f"[bold]{reading.tokens_per_second:,.0f}[/bold] tokens/s",
        f"epoch [bold]{reading.epoch}[/bold] ({reading.epoch_share:.0%})",
    )
    grid.add_row(
        f"BLEU [bold]{scores[1].bleu:.1f}[/bold]" if scores else "[dim]BLEU -[/dim]",
        f"chrF [bold]{scores[1].chrf:.1f}[/bold]" if scores else "[dim]chrF -[/dim]",
        f"rate [bold]{reading.learning_rate:.2e}[/bold]",
        f"gradient [bold]{reading.gradient_norm:.2f}[/bold]",
    )
    return grid


def duration(seconds: float) -> str:
    """Return a span of time as a person says it, in its two greatest units.

    >>> [duration(s) for s in (8.2, 95, 3700, 100_000)]
    ['8 s', '1 min 35 s', '1 h 2 min', '1 d 4 h']
    """
    whole = round(seconds)
    for size, name, part_size, part_name in (
        (86_400, "d", 3_600, "h"),
        (3_600, "h", 60, "min"),
        (60, "min", 1, "s"),
    ):
        if whole >= size:
            return f"{whole // size} {name} {whole % size // part_size} {part_name}"
    return f"{whole} s"
