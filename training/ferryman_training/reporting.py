"""What a run tells: figures for a person to watch, and the JSONL log.

One line of ``log.jsonl`` is one event: ``corpus``, ``links``, ``start``, ``update``, ``skip``,
``rollback``, ``validation``, ``plateau``, ``checkpoint``, ``stop``, ``finish``. A run that was
killed repeats the updates since its last checkpoint, so lines after a ``start`` replace earlier
ones of the same or a later step.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from ferryman_training.batching import PlannedUpdate
from ferryman_training.config import TrainingConfig
from ferryman_training.display import Display
from ferryman_training.errors import CheckpointError
from ferryman_training.figures import Meter, Reading, perplexity
from ferryman_training.learner import SkippedUpdate, UpdateFigures
from ferryman_training.lexicon import Pass
from ferryman_training.progress import Progress
from ferryman_training.run_directory import BEST
from ferryman_training.scalars import Scalars
from ferryman_training.validation import Scores

_SAMPLES: Final = 3
"""Translations that are shown at each validation, always of the same sources."""


class Reporter:
    """Keeps the figures, tells them to a display, and writes the log.

    Args:
        config: The run.
        display: What a person sees.
        log: The JSONL file, appended to; None for none.
        scalars: For TensorBoard; None for none.
    """

    def __init__(
        self,
        config: TrainingConfig,
        display: Display,
        log: Path | None,
        *,
        scalars: Scalars | None = None,
    ) -> None:
        self._run = config.run
        self._display = display
        self._log = log
        self._scalars = scalars
        self.meter = Meter(config.run.log_every)
        self._validation_seconds = 0.0

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Say that something is going on that is no update."""
        began = time.monotonic()
        self._display.phase(name)
        yield
        self._display.phase_done(name, time.monotonic() - began)

    def corpus(self, *, kept: int, dropped: Mapping[str, int], target_tokens: int) -> None:
        """Say what there is to train on, and how much was left out for which reason."""
        total = sum(dropped.values())
        self._display.line(
            f"{kept:,} pairs, {target_tokens:,} target tokens an epoch"
            + (f"; {total:,} pairs left out:" if dropped else "")
        )
        for reason, count in dropped.items():
            self._display.line(f"{count:>12,}  {reason}")
        self._write(
            "corpus", kept=kept, dropped=total, reasons=dropped, target_tokens=target_tokens
        )

    def links_learnt(self, done: Pass) -> None:
        """Show a pass over the corpus that word links are learnt from."""
        self._display.line(
            f"word links, pass {done.number} of {done.passes}: perplexity before it "
            f"{done.target_perplexity:,.0f} to the target, {done.source_perplexity:,.0f} back"
        )
        self._write("links", **asdict(done))

    def start(self, progress: Progress, *, parameters: int, processes: int) -> None:
        """Say where the run begins."""
        where = f"from step {progress.step:,}" if progress.step else "from the beginning"
        self._display.line(
            f"{parameters:,} parameters, {_count(processes, 'process', 'processes')}, {where}"
        )
        self._write("start", step=progress.step, parameters=parameters, processes=processes)

    def update(self, planned: PlannedUpdate, figures: UpdateFigures, *, seconds: float) -> None:
        """Take one update in; every `run.log_every` it goes into the log."""
        tokens = figures.target_tokens
        self.meter.add(tokens=tokens, loss=figures.loss, seconds=seconds)
        reading = self._reading(planned, figures)
        logged = planned.step % self._run.log_every == 0 or planned.step == self._run.steps
        self._display.reading(reading, logged=logged)
        if logged:
            self._write(
                "update",
                step=reading.step,
                epoch=planned.epoch,
                loss=reading.loss,
                perplexity=reading.perplexity,
                tokens_per_second=reading.tokens_per_second,
                learning_rate=reading.learning_rate,
                gradient_norm=reading.gradient_norm,
                loss_scale=figures.loss_scale,
            )

    def skipped(self, step: int, update: SkippedUpdate) -> None:
        """Say that an update came to nothing."""
        if update.loss_scale is None:
            self._display.line(f"step {step:,}: skipped, {update.reason}")
        else:
            self._display.line(
                f"step {step:,}: skipped, {update.reason}; "
                f"the loss scale is now {update.loss_scale:g}"
            )
        self._write("skip", step=step, reason=update.reason, loss_scale=update.loss_scale)

    def rolled_back(self, step: int, *, to: int, factor: float) -> None:
        """Say that the run went back to earlier weights."""
        self._display.line(
            f"step {step:,}: went back to the weights of step {to:,}; the learning rate is "
            f"multiplied by {factor:g}, and the batches since then are passed over"
        )
        self._write("rollback", step=step, to=to, factor=factor)

    def rate_lowered(self, step: int, rate: float) -> None:
        """Say that validations on a plateau have lowered the learning rate."""
        self._display.line(f"step {step:,}: {self._run.metric} is on a plateau, rate {rate:.2e}")
        self._write("plateau", step=step, learning_rate=rate)

    def _reading(self, planned: PlannedUpdate, figures: UpdateFigures) -> Reading:
        run, step = self._run, planned.step
        # One that is due at this very step is still to come.
        validations = math.ceil(run.steps / run.validate_every) - (step - 1) // run.validate_every
        return Reading(
            step=step,
            steps=run.steps,
            epoch=planned.epoch + 1,
            epoch_share=planned.number / planned.epoch_updates,
            loss=self.meter.loss,
            tokens_per_second=self.meter.tokens_per_second,
            learning_rate=figures.learning_rate,
            gradient_norm=figures.gradient_norm,
            seconds_left=(run.steps - step) * self.meter.seconds_per_update
            + validations * self._validation_seconds,
        )

    def validated(self, step: int, scores: Scores, *, seconds: float) -> None:
        """Show a validation and write it with its sample translations."""
        self._validation_seconds = seconds
        samples = scores.samples[:_SAMPLES]
        self._display.scores(step, scores, samples)
        self._write(
            "validation",
            step=step,
            loss=scores.loss,
            perplexity=perplexity(scores.loss),
            bleu=scores.bleu,
            chrf=scores.chrf,
            **_alignment(scores),
            seconds=seconds,
            samples=[asdict(sample) for sample in samples],
        )

    def saved(self, step: int) -> None:
        """Note a checkpoint."""
        self._write("checkpoint", step=step)

    def stopping(self) -> None:
        """Say that the request to stop has been heard; may be called at any time."""
        self._display.stopping()

    def stopped(self, step: int, directory: Path) -> None:
        """Say that the run was stopped and how to go on."""
        self._display.line(
            f"Stopped after step {step:,} of {self._run.steps:,}; all of it is saved in "
            f"{directory}. Run the same command again to go on."
        )
        self._write("stop", step=step)

    def finished(self, progress: Progress, directory: Path) -> None:
        """Say where the result is, and what ended the run if it was not its last step."""
        if progress.step < self._run.steps:
            self._display.line(
                f"Stopped early at step {progress.step:,}: {self._run.stop_patience} validations "
                f"brought no better {self._run.metric}."
            )
        self._display.line(
            f"Finished: the model is in {directory}, the best by {self._run.metric} in "
            f"{directory / BEST}"
        )
        self._write("finish", step=progress.step)

    def already_finished(self, progress: Progress, directory: Path) -> None:
        """Say that there is nothing to do."""
        self._display.line(
            f"{directory} holds this run, finished at step {progress.step:,}. To go on from "
            "there, raise run.steps or run.stop_patience; to begin anew, choose another directory."
        )

    def _write(self, event: str, **fields: Any) -> None:
        if self._scalars is not None:
            self._scalars.write(event, fields)
        if self._log is None:
            return
        line = json.dumps({"event": event, "time": round(time.time(), 3), **fields})
        try:
            with self._log.open("ab+") as file:
                # A process that was killed may have left half a line.
                size = file.seek(0, 2)
                if size:
                    file.seek(size - 1)
                    if file.read(1) != b"\n":
                        file.write(b"\n")
                file.write(line.encode() + b"\n")
        except OSError as error:
            raise CheckpointError(f"{self._log}: could not be written ({error})") from error


def _alignment(scores: Scores) -> dict[str, float]:
    if scores.agreement is None:
        return {}
    return {"alignment_error_rate": scores.agreement.error_rate}


def _count(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"
