"""The training loop: from a config to the averaged weights, resumable after every checkpoint."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from ferryman_training.averaging import WeightAverage
from ferryman_training.batching import PlannedUpdate
from ferryman_training.checkpoint import Checkpoint, Progress, save_config, save_tokenizer
from ferryman_training.config import TrainingConfig
from ferryman_training.dataset import Dataset, cache_of, prepare
from ferryman_training.figures import perplexity
from ferryman_training.interruption import StopRequest, stop_request
from ferryman_training.learner import Learner
from ferryman_training.replicas import Replicas
from ferryman_training.reporting import Reporter
from ferryman_training.resumption import ResumeState, exclusive


def train(
    config: TrainingConfig, directory: Path, *, reporter: Reporter, replicas: Replicas
) -> Progress:
    """Train to the last step, or until asked to stop; the result is in the directory.

    Args:
        config: The run.
        directory: Where the checkpoint goes, and where a run that stopped is resumed from.
        reporter: Tells a person and the log how it goes.
        replicas: The processes that share the work, all of which call this.

    Returns:
        Where the run stands now.

    Raises:
        ConfigError: The device asked for is not there.
        CorpusError: The corpus cannot be read or holds nothing to train on.
        CheckpointError: There is another run in the directory, or it cannot be written.
        DivergenceError: Learning went astray; the last checkpoint is from before.
        ReplicaLostError: Another process has ended.
    """
    torch.set_num_threads(replicas.threads(config.run.threads))
    with exclusive(directory) if replicas.leads else nullcontext():
        state = ResumeState.load(directory, config)
        if state is not None and state.progress.step >= config.run.steps:
            reporter.already_finished(state.progress, directory)
            return state.progress
        cache = cache_of(config, directory)
        dataset = prepare(config, directory, cache=cache, replicas=replicas, reporter=reporter)
        if state is not None:
            state.refuse_another_corpus(dataset.digest, " + ".join(map(str, config.corpus.train)))
        if replicas.leads:
            dataset.save_report(directory)
            save_config(config, directory)
            save_tokenizer(dataset.tokenizer, directory)
        trainer = Trainer(config, directory, dataset, reporter=reporter, replicas=replicas)
        if state is not None:
            trainer.restore(state)
        with stop_request(reporter.stopping) as stop:
            return trainer.run(stop)


class Trainer:
    """One run that is going on.

    Args:
        config: The run.
        directory: Where the checkpoint goes.
        dataset: What is learnt.
        reporter: Tells a person and the log how it goes.
        replicas: The processes that share the work.
    """

    def __init__(
        self,
        config: TrainingConfig,
        directory: Path,
        dataset: Dataset,
        *,
        reporter: Reporter,
        replicas: Replicas,
    ) -> None:
        self._config = config
        self._directory = directory
        self._dataset = dataset
        self._reporter = reporter
        self._replicas = replicas
        self._learner = Learner(config, dataset.tokenizer.vocabulary_size, replicas=replicas)
        self._average = WeightAverage(config.run)
        self._progress = Progress()

    def restore(self, state: ResumeState) -> None:
        """Go back to where an earlier process stopped."""
        self._learner.optimizer.load_state_dict(state.optimizer)
        self._average.load_state_dict(state.average, step=state.progress.step)
        self._reporter.meter.restore(state.recent)
        self._progress = state.progress

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
            if last or planned.step % run.validate_every == 0:
                self._validate()
            stopping = self._replicas.any(stop.made) and not last
            if last or stopping or planned.step % run.checkpoint_every == 0:
                self._save()
            if stopping:
                reporter.stopped(planned.step, self._directory)
                return self._progress
        reporter.finished(self._directory)
        return self._progress

    @property
    def _weights(self) -> Mapping[str, Tensor]:
        """What is validated and saved: the average at the end, the newest weights before it."""
        if self._progress.step == self._config.run.steps:
            return self._average.weights()
        return self._learner.weights

    def _update(self, planned: PlannedUpdate) -> None:
        began = time.monotonic()
        figures = self._learner.update(planned)
        self._average.observe(planned.step, self._learner.weights)
        self._progress = replace(
            self._progress,
            step=planned.step,
            epoch=planned.epoch,
            update_in_epoch=planned.number,
            target_tokens=self._progress.target_tokens + figures.target_tokens,
        )
        self._reporter.update(planned, figures, seconds=time.monotonic() - began)

    def _validate(self) -> None:
        began = time.monotonic()
        with self._reporter.phase("validating"):
            scores = self._dataset.held_out.score(
                self._weights,
                self._config.model,
                device=self._learner.device,
                replicas=self._replicas,
            )
        self._reporter.validated(self._progress.step, scores, seconds=time.monotonic() - began)
        self._progress = replace(
            self._progress,
            scores={
                "loss": scores.loss,
                "perplexity": perplexity(scores.loss),
                "bleu": scores.bleu,
                "chrf": scores.chrf,
            },
        )

    def _save(self) -> None:
        """Write the checkpoint, and after it the state to resume from."""
        if not self._replicas.leads:
            return
        Checkpoint(self._config, self._dataset.tokenizer, self._weights, self._progress).save(
            self._directory
        )
        ResumeState(
            optimizer=self._learner.optimizer.state_dict(),
            average=self._average.state_dict(),
            progress=self._progress,
            corpus_digest=self._dataset.digest,
            recent=self._reporter.meter.recent,
        ).save(self._directory, self._config)
        self._reporter.saved(self._progress.step)
