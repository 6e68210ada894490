"""The training loop: from a config to the averaged weights, resumable after every checkpoint."""

from __future__ import annotations

import time
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import torch

from ferryman_training.averaging import Weights, weight_average
from ferryman_training.batching import PlannedUpdate
from ferryman_training.checkpoint import Checkpoint, save_config, save_tokenizer
from ferryman_training.config import TrainingConfig
from ferryman_training.dataset import Dataset, cache_of, prepare
from ferryman_training.errors import DivergenceError
from ferryman_training.figures import perplexity
from ferryman_training.guard import Guard
from ferryman_training.interruption import StopRequest, stop_request
from ferryman_training.learner import Learner, SkippedUpdate
from ferryman_training.lexicon_store import obtain_lexicon
from ferryman_training.links import WordLinker
from ferryman_training.model_config import TransformerConfig
from ferryman_training.patience import Patience, merit
from ferryman_training.progress import Progress
from ferryman_training.replicas import Replicas
from ferryman_training.reporting import Reporter
from ferryman_training.resumption import ResumeState, exclusive
from ferryman_training.run_directory import RunDirectory


def train(
    config: TrainingConfig, directory: Path, *, reporter: Reporter, replicas: Replicas
) -> Progress:
    """Train to the end of the run, or until asked to stop; the result is in the directory.

    Args:
        config: The run.
        directory: Where the checkpoints go, and where a run that stopped is resumed from.
        reporter: Tells a person and the log how it goes.
        replicas: The processes that share the work, all of which call this.

    Returns:
        Where the run stands now.

    Raises:
        ConfigError: The device asked for is not there.
        CorpusError: The corpus cannot be read or holds nothing to train on.
        CheckpointError: There is another run in the directory, or it cannot be written.
        DivergenceError: Learning went astray again and again; the last checkpoint is from before.
        ReplicaLostError: Another process has ended.
    """
    torch.set_num_threads(replicas.threads(config.run.threads))
    with exclusive(directory) if replicas.leads else nullcontext():
        state = ResumeState.load(directory, config)
        if replicas.leads:
            RunDirectory(directory).tidy(config.run)
        if state is not None and state.over(config.run):
            reporter.already_finished(state.progress, directory)
            return replace(state.progress, finished=True)
        cache = cache_of(config, directory)
        dataset = prepare(config, directory, cache=cache, replicas=replicas, reporter=reporter)
        if state is not None:
            state.refuse_another_corpus(dataset.digest, " + ".join(map(str, config.corpus.train)))
        if replicas.leads:
            dataset.save_report(directory)
            save_config(config, directory)
            save_tokenizer(dataset.tokenizer, directory)
        linker = _linker(config, directory, dataset, reporter=reporter, replicas=replicas)
        trainer = Trainer(
            config, directory, dataset, linker=linker, reporter=reporter, replicas=replicas
        )
        if state is not None:
            trainer.restore(state)
        with stop_request(reporter.stopping) as stop:
            return trainer.run(stop)


def _linker(
    config: TrainingConfig,
    directory: Path,
    dataset: Dataset,
    *,
    reporter: Reporter,
    replicas: Replicas,
) -> WordLinker | None:
    """Return what links words, for a model that has an aligned head."""
    if not isinstance(config.model, TransformerConfig) or config.model.aligned_head is None:
        return None
    lexicon = obtain_lexicon(
        config.alignment,
        directory,
        dataset.sampler.tokens,
        dataset.tokenizer.vocabulary_size,
        replicas=replicas,
        reporter=reporter,
    )
    return WordLinker(lexicon, tension=config.alignment.tension)


class Trainer:
    """One run that is going on.

    Args:
        config: The run.
        directory: Where the checkpoints go.
        dataset: What is learnt.
        linker: Links words, for a model that has an aligned head.
        reporter: Tells a person and the log how it goes.
        replicas: The processes that share the work.
    """

    def __init__(
        self,
        config: TrainingConfig,
        directory: Path,
        dataset: Dataset,
        *,
        linker: WordLinker | None,
        reporter: Reporter,
        replicas: Replicas,
    ) -> None:
        self._config = config
        self._directory = directory
        self._dataset = dataset
        self._linker = linker
        self._reporter = reporter
        self._replicas = replicas
        self._learner = self._new_learner()
        self._average = weight_average(config.run)
        self._patience = Patience(config.run.stop_patience)
        self._guard = Guard(config.run)
        self._progress = Progress()

    def _new_learner(self) -> Learner:
        size = self._dataset.tokenizer.vocabulary_size
        return Learner(self._config, size, replicas=self._replicas, linker=self._linker)

    def restore(self, state: ResumeState) -> None:
        """Go back to where an earlier process stopped."""
        self._restore_weights(state)
        self._reporter.meter.restore(state.recent)
        if state.patience is not None:
            self._patience.load_state_dict(state.patience)
        self._progress = replace(state.progress, finished=False)

    def _restore_weights(self, state: ResumeState) -> None:
        self._learner.load_state_dict(state.learner)
        self._average.load_state_dict(state.average, step=state.progress.step)

    def run(self, stop: StopRequest) -> Progress:
        """Do the updates that are left, with what is due between them, until asked to stop.

        Returns:
            Where the run stands now.
        """
        run, reporter, at = self._config.run, self._reporter, self._progress
        parameters, processes = self._learner.parameters, self._replicas.world
        reporter.start(at, parameters=parameters, processes=processes)
        for planned in self._dataset.sampler.plan(
            step=at.step, epoch=at.epoch, done=at.update_in_epoch, steps=run.steps
        ):
            self._update(planned)
            last = planned.step == run.steps
            if last and not self._guard.calm:
                self._roll_back("the last update came to nothing")
            if validated := (last or planned.step % run.validate_every == 0):
                self._validate()
            finished = last or self._patience.exhausted
            stopping = self._replicas.any(stop.made) and not finished
            due = finished or stopping or validated or planned.step % run.checkpoint_every == 0
            # While updates fail nothing is saved: it may be the weights that are bad.
            if due and self._guard.calm:
                self._save(finished=finished)
                if finished:
                    reporter.finished(self._progress, self._directory)
                    break
                if stopping:
                    reporter.stopped(planned.step, self._directory)
                    break
        return self._progress

    @property
    def _weights(self) -> Weights:
        """What is validated and saved."""
        return self._average.result(self._progress.step, self._learner.weights)

    def _update(self, planned: PlannedUpdate) -> None:
        began = time.monotonic()
        figures = self._learner.update(planned)
        self._progress = replace(
            self._progress,
            step=planned.step,
            epoch=planned.epoch,
            update_in_epoch=planned.number,
        )
        if isinstance(figures, SkippedUpdate):
            self._reporter.skipped(planned.step, figures)
            if figures.loss_scale is None and self._guard.failed():
                self._roll_back(figures.reason)
            return
        self._guard.passed()
        self._average.observe(planned.step, self._learner.weights)
        tokens = self._progress.target_tokens + figures.target_tokens
        self._progress = replace(self._progress, target_tokens=tokens)
        self._reporter.update(planned, figures, seconds=time.monotonic() - began)

    def _roll_back(self, reason: str) -> None:
        """Return to the weights of the last checkpoint, or to the first ones, at a lower rate.

        The position in the corpus stays: what comes next are the batches after the bad ones.

        Raises:
            DivergenceError: It has happened too often, or at the end of a run without a checkpoint.
        """
        factor = self._guard.roll_back(f"step {self._progress.step:,}: {reason}")
        state = ResumeState.load(self._directory, self._config)
        if state is None:
            if self._progress.step == self._config.run.steps:
                raise DivergenceError(f"{reason}, and there is no checkpoint to go back to")
            self._learner = self._new_learner()
            self._average = weight_average(self._config.run)
        else:
            self._restore_weights(state)
        self._learner.schedule.lower(factor)
        good = Progress() if state is None else state.progress
        self._progress = replace(self._progress, target_tokens=good.target_tokens)
        self._reporter.rolled_back(self._progress.step, to=good.step, factor=factor)

    def _leave_infinite_weights(self) -> None:
        """Roll back if a weight has become infinite or no number, which the next loss would show.

        Raises:
            DivergenceError: It has happened too often.
        """
        if not self._learner.optimizer.finite:
            self._roll_back("a weight is infinite or no number")

    def _validate(self) -> None:
        self._leave_infinite_weights()
        began = time.monotonic()
        with self._reporter.phase("validating"):
            scores = self._dataset.held_out.score(
                self._weights,
                self._config.model,
                device=self._learner.device,
                replicas=self._replicas,
                linker=self._linker,
            )
        step = self._progress.step
        self._reporter.validated(step, scores, seconds=time.monotonic() - began)
        figures = {
            "loss": scores.loss,
            "perplexity": perplexity(scores.loss),
            "bleu": scores.bleu,
            "chrf": scores.chrf,
        }
        if scores.agreement is not None:
            figures["alignment_error_rate"] = scores.agreement.error_rate
        self._progress = replace(self._progress, scores=figures, validated=step)
        reached = merit(figures, self._config.run.metric)
        self._patience.observe(reached)
        if self._learner.schedule.validated(reached):
            self._reporter.rate_lowered(step, self._learner.schedule.rate(step))

    def _save(self, *, finished: bool) -> None:
        """Write a checkpoint with the state to resume from."""
        self._leave_infinite_weights()
        self._progress = replace(self._progress, finished=finished)
        self._guard.saved()
        if self._replicas.leads:
            self._write()

    def _write(self) -> None:
        checkpoint = Checkpoint(
            self._config, self._dataset.tokenizer, self._weights, self._progress
        )
        state = ResumeState(
            learner=self._learner.state_dict(),
            average=self._average.state_dict(),
            progress=self._progress,
            corpus_digest=self._dataset.digest,
            recent=self._reporter.meter.recent,
            patience=self._patience.state_dict(),
        )

        def fill(directory: Path) -> None:
            checkpoint.fill(directory)
            state.fill(directory)

        step = self._progress.step
        RunDirectory(self._directory).add(step, fill, config=self._config.run)
        self._reporter.saved(step)
