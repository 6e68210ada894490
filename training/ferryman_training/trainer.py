"""The training loop.

One update: the micro-batches of a step -> forward -> smoothed cross-entropy -> backward -> sum over
processes -> mean per target token -> clip -> optimizer. Chance depends on (seed, step, micro-batch)
alone, so a resumed run, or one with another number of processes, sees the same dropout.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ferryman_bundle.tokenizer import PAD, Tokenizer
from ferryman_training.batching import EpochSampler, TokenPair, collate, tokenize
from ferryman_training.checkpoint import (
    TOKENIZER,
    Checkpoint,
    Progress,
    load_resume_state,
    save_resume_state,
    write_atomically,
)
from ferryman_training.config import TrainingConfig
from ferryman_training.corpus import SentencePair, read_pairs
from ferryman_training.errors import CheckpointError, CorpusError
from ferryman_training.loss import SmoothedCrossEntropy
from ferryman_training.optimization import MasterOptimizer, learning_rate
from ferryman_training.progress import Reporter
from ferryman_training.replicas import Replicas, set_threads
from ferryman_training.transformer import Transformer
from ferryman_training.validation import validate
from ferryman_training.vocabulary import train_tokenizer


class Trainer:
    """One run, from the corpus to the averaged weights.

    Args:
        config: The run.
        directory: Where the checkpoint goes, and where a run that stopped is resumed from.
        reporter: Tells a person and the log how it goes.
        replicas: The processes that share the work.
    """

    def __init__(
        self, config: TrainingConfig, directory: Path, reporter: Reporter, replicas: Replicas
    ) -> None:
        self._config = config
        self._directory = directory
        self._reporter = reporter
        self._replicas = replicas
        set_threads(replicas.threads(config.run.threads))

    def run(self) -> Checkpoint:
        """Train to the last step and return the checkpoint, which is also on disk.

        Raises:
            CorpusError: The corpus cannot be read or holds nothing to train on.
            CheckpointError: There is a run to resume, but it is of another model.
        """
        sampler, valid_pairs, valid_tokens = self._prepare()
        torch.manual_seed(self._config.run.seed)
        model = Transformer(self._config.model, sampler.tokenizer.vocabulary_size)
        initial = {n: p.detach().clone() for n, p in model.named_parameters()}
        if self._config.run.precision == "bfloat16":
            model = model.to(torch.bfloat16)
        optimizer = MasterOptimizer(model, self._config.optimizer)
        for name, parameter in optimizer.master.items():
            parameter.copy_(initial[name])  # the masters of a bfloat16 model start unrounded
        optimizer.publish()
        average = WeightAverage(self._config)
        progress = self._resume(optimizer, average)
        self._reporter.start(progress, sum(p.numel() for p in model.parameters()))
        run = self._config.run
        for step, update, place in self._updates(sampler, progress):
            began = time.monotonic()
            statistics = self._update(model, optimizer, update, step)
            epoch, done = place
            progress = replace(
                progress, step=step, epoch=epoch, update_in_epoch=done,
                target_tokens=progress.target_tokens + statistics["tokens"],
            )
            average.observe(step, optimizer.master)
            self._reporter.update(step, epoch, statistics, time.monotonic() - began)
            if step % run.validate_every == 0 or step == run.steps:
                weights = average.weights() if step == run.steps else optimizer.master
                progress = self._validate(weights, sampler.tokenizer, valid_pairs, valid_tokens, progress)
            if step % run.checkpoint_every == 0 or step == run.steps:
                weights = average.weights() if step == run.steps else optimizer.master
                self._save(weights, sampler.tokenizer, progress, optimizer, average)
        self._replicas.wait()
        self._reporter.finish(self._directory)
        return Checkpoint.load(self._directory)

    def _prepare(self) -> tuple[EpochSampler, list[SentencePair], list[TokenPair]]:
        """Read the corpus, train or load the tokenizer, and tokenize."""
        config = self._config
        with self._reporter.phase(f"reading {config.corpus.train}"):
            pairs = read_pairs(config.corpus.train)
            valid_pairs = read_pairs(config.corpus.valid)
        tokenizer = self._tokenizer(pairs)
        with self._reporter.phase("tokenizing"):
            tokens = [tokenize(pair, tokenizer) for pair in pairs]
            valid_tokens = [tokenize(pair, tokenizer) for pair in valid_pairs]
        longest = config.corpus.max_tokens
        kept = [
            i for i, t in enumerate(tokens)
            if t.source and t.target and max(len(t.source), len(t.target)) <= longest
        ]
        if not kept:
            raise CorpusError(
                f"{config.corpus.train}: no pair is left: every one has a side that is blank or "
                f"longer than corpus.max_tokens = {longest}"
            )
        self._reporter.corpus(
            kept=len(kept), dropped=len(pairs) - len(kept),
            tokens=sum(len(tokens[i].target) + 1 for i in kept),
        )
        sampler = EpochSampler(
            pairs=[pairs[i] for i in kept], tokens=[tokens[i] for i in kept], tokenizer=tokenizer,
            batch_tokens=config.batch.tokens, micro_batches=config.batch.micro_batches,
            placeholder_share=config.corpus.placeholder_share,
            max_tokens=longest, seed=config.run.seed,
        )
        return sampler, valid_pairs, valid_tokens

    def _tokenizer(self, pairs: list[SentencePair]) -> Tokenizer:
        """Return the tokenizer of the run; the leading process trains it once."""
        path = self._directory / TOKENIZER
        if self._replicas.leads and not path.exists():
            with self._reporter.phase("training the vocabulary"):
                sentences = (text for pair in pairs for text in (pair.source, pair.target))
                tokenizer = train_tokenizer(
                    sentences, self._config.vocabulary, seed=self._config.run.seed
                )
            self._directory.mkdir(parents=True, exist_ok=True)
            write_atomically(path, lambda p: p.write_bytes(tokenizer.model))
        self._replicas.wait()
        return Tokenizer.load(path)

    def _resume(self, optimizer: MasterOptimizer, average: WeightAverage) -> Progress:
        """Go back to where an earlier run of this directory stopped, if there was one."""
        state = load_resume_state(self._directory)
        if state is None:
            return Progress()
        model = self._config.model.model_dump(mode="json")
        if state["model"] != model:
            raise CheckpointError(
                f"{self._directory}: holds a run of another model ({state['model']}, not {model}); "
                "choose another directory or remove it"
            )
        optimizer.load_state_dict(state["optimizer"])
        average.load_state_dict(state["average"])
        return Progress(**state["progress"])

    def _updates(
        self, sampler: EpochSampler, progress: Progress
    ) -> Iterator[tuple[int, list[list[TokenPair]], tuple[int, int]]]:
        """Yield (step, micro-batches, (epoch, updates of it done)) from where the run stands."""
        step, epoch, done = progress.step, progress.epoch, progress.update_in_epoch
        while step < self._config.run.steps:
            for update in sampler.updates(epoch)[done:]:
                step, done = step + 1, done + 1
                yield step, update, (epoch, done)
                if step >= self._config.run.steps:
                    return
            epoch, done = epoch + 1, 0

    def _update(
        self, model: Transformer, optimizer: MasterOptimizer, update: list[list[TokenPair]], step: int
    ) -> dict[str, Any]:
        """Do one update and return its loss, tokens, rate and gradient norm."""
        model.train()
        smoothing = self._config.optimizer.label_smoothing
        totals = torch.zeros(2, dtype=torch.float64)  # plain loss, target tokens
        for index in range(self._replicas.rank, len(update), self._replicas.world):
            torch.manual_seed(hash((self._config.run.seed, step, index)) & 0x7FFF_FFFF_FFFF_FFFF)
            batch = collate(update[index])
            mask = batch.target_output != PAD
            hidden = model(batch.source, batch.target_input)[mask]
            smoothed, plain = SmoothedCrossEntropy.apply(
                hidden, model.embedding.weight, batch.target_output[mask], smoothing
            )
            # Keeps bfloat16 gradients of a summed loss in range; undone exactly below.
            (smoothed / self._config.batch.tokens).backward()
            totals += torch.tensor([float(plain), float(mask.sum())], dtype=torch.float64)
        gradients = optimizer.gradients()
        self._replicas.sum(gradients, totals)
        tokens = float(totals[1])
        gradients.mul_(self._config.batch.tokens / tokens)
        rate = learning_rate(self._config.optimizer, step, self._config.run.steps)
        norm = optimizer.update(gradients, rate)
        return {
            "loss": float(totals[0]) / tokens, "tokens": int(tokens),
            "learning_rate": rate, "gradient_norm": norm,
        }

    def _validate(
        self, weights: dict[str, Tensor], tokenizer: Tokenizer,
        pairs: list[SentencePair], tokens: list[TokenPair], progress: Progress,
    ) -> Progress:
        """Score the weights and put the result into the progress."""
        if not self._replicas.leads:
            return progress
        model = Transformer(self._config.model, tokenizer.vocabulary_size)
        model.load_state_dict(weights)
        with self._reporter.phase("validating"):
            scores = validate(
                model.eval(), pairs, tokens, tokenizer,
                decoded_sentences=self._config.run.validation_sentences,
            )
        self._reporter.validated(progress.step, scores)
        return replace(progress, scores={
            "loss": scores.loss, "perplexity": math.exp(scores.loss),
            "bleu": scores.bleu, "chrf": scores.chrf,
        })

    def _save(
        self, weights: dict[str, Tensor], tokenizer: Tokenizer, progress: Progress,
        optimizer: MasterOptimizer, average: WeightAverage,
    ) -> None:
        """Write the checkpoint and the state to resume from."""
        if not self._replicas.leads:
            return
        Checkpoint(self._config, tokenizer, weights, progress).save(self._directory)
        save_resume_state(self._directory, {
            "model": self._config.model.model_dump(mode="json"),
            "optimizer": optimizer.state_dict(),
            "average": average.state_dict(),
            "progress": {name: getattr(progress, name) for name in Progress.__slots__},
        })


class WeightAverage:
    """The mean of the last few averaging points of a run.

    Vaswani et al. 2017, section 6.1: the final model is the average of the last checkpoints.
    """

    def __init__(self, config: TrainingConfig) -> None:
        run = config.run
        self._points = {run.steps - i * run.average_every for i in range(run.average_last)}
        self._sum: dict[str, Tensor] = {}
        self._count = 0

    def observe(self, step: int, weights: dict[str, Tensor]) -> None:
        """Take the weights in, if this step is an averaging point."""
        if step not in self._points:
            return
        for name, weight in weights.items():
            self._sum[name] = self._sum[name] + weight if self._count else weight.clone()
        self._count += 1

    def weights(self) -> dict[str, Tensor]:
        """Return the mean of the points so far."""
        return {name: total / self._count for name, total in self._sum.items()}

    def state_dict(self) -> dict[str, Any]:
        """Return the sum and the count, for resuming."""
        return {"sum": self._sum, "count": self._count}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go back to a saved state."""
        self._sum, self._count = state["sum"], state["count"]
