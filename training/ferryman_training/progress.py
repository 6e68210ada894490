"""What a person sees of a run, and its JSONL log."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console

from ferryman_training.checkpoint import Progress
from ferryman_training.config import TrainingConfig
from ferryman_training.validation import Scores


class Reporter:
    """Prints to a console and appends to ``log.jsonl``; silent in all but the leading process."""

    def __init__(self, config: TrainingConfig, log: Path | None, console: Console) -> None:
        self._config = config
        self._log = log
        self._console = console
        self._tokens = 0
        self._loss = 0.0
        self._seconds = 0.0

    def _print(self, text: str) -> None:
        if self._log is not None:
            self._console.print(text, highlight=False)

    def _write(self, event: str, **fields: Any) -> None:
        if self._log is not None:
            self._log.parent.mkdir(parents=True, exist_ok=True)
            with self._log.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"event": event, "time": time.time(), **fields}) + "\n")

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Say that something of some seconds is going on, and how long it took."""
        began = time.monotonic()
        yield
        self._print(f"  {name} ({time.monotonic() - began:.1f} s)")

    def corpus(self, *, kept: int, dropped: int, tokens: int) -> None:
        """Say what there is to train on."""
        self._print(f"  {kept:,} pairs, {tokens:,} target tokens; {dropped:,} too long")
        self._write("corpus", kept=kept, dropped=dropped, target_tokens=tokens)

    def start(self, progress: Progress, parameters: int) -> None:
        """Say where the run begins."""
        self._print(f"  {parameters:,} parameters; from step {progress.step:,}")
        self._write("start", step=progress.step, parameters=parameters)

    def update(self, step: int, epoch: int, statistics: dict[str, Any], seconds: float) -> None:
        """Take in one update; every so many it is shown."""
        self._tokens += statistics["tokens"]
        self._loss += statistics["loss"] * statistics["tokens"]
        self._seconds += seconds
        run = self._config.run
        if step % run.log_every and step != run.steps:
            return
        loss, speed = self._loss / self._tokens, self._tokens / self._seconds
        left = (run.steps - step) * self._seconds / run.log_every
        self._print(
            f"step {step:>6,}/{run.steps:,}  epoch {epoch + 1}  loss {loss:.3f}  "
            f"ppl {math.exp(min(loss, 20)):.1f}  {speed:,.0f} tok/s  left {left / 60:.0f} min"
        )
        self._write(
            "update", step=step, epoch=epoch, loss=loss, tokens_per_second=speed,
            learning_rate=statistics["learning_rate"], gradient_norm=statistics["gradient_norm"],
        )
        self._tokens, self._loss, self._seconds = 0, 0.0, 0.0

    def validated(self, step: int, scores: Scores) -> None:
        """Show a validation."""
        self._print(f"valid {step:,}: loss {scores.loss:.3f} BLEU {scores.bleu:.1f} chrF {scores.chrf:.1f}")
        for source, translation, reference in scores.samples:
            self._print(f"    {source}\n    > {translation}\n    = {reference}")
        self._write("validation", step=step, loss=scores.loss, bleu=scores.bleu, chrf=scores.chrf)

    def finish(self, directory: Path) -> None:
        """Say where the result is."""
        self._print(f"done: {directory}")
        self._write("finish")
