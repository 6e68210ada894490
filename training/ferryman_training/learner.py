"""A model and its optimizer: one update after the other.

One update: its micro-batches -> forward -> smoothed cross-entropy -> backward -> sum over
processes -> mean per target token -> clip -> optimizer. Chance depends on (seed, step, micro-batch)
alone, so a resumed run, or one with another number of processes, sees the same dropout.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ferryman_bundle.tokenizer import PAD
from ferryman_training.batching import MicroBatch, PlannedUpdate, collate
from ferryman_training.config import TrainingConfig
from ferryman_training.errors import ConfigError
from ferryman_training.loss import smoothed_cross_entropy
from ferryman_training.optimization import MasterOptimizer, learning_rate
from ferryman_training.replicas import Replicas
from ferryman_training.seq2seq import build_model

_PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}


@dataclass(frozen=True, slots=True)
class UpdateFigures:
    """What an update tells about itself."""

    loss: float
    """Mean cross-entropy per target token before the update, without smoothing, in nats."""
    target_tokens: int
    """Of all processes, ends included and padding not."""
    learning_rate: float
    gradient_norm: float
    """Before clipping."""


class Learner:
    """The model that computes, with its master weights and optimizer.

    Args:
        config: The run.
        vocabulary_size: Pieces of the tokenizer.
        replicas: The processes that share each update.

    Raises:
        ConfigError: The device asked for is not there.
    """

    def __init__(self, config: TrainingConfig, vocabulary_size: int, *, replicas: Replicas) -> None:
        self._config = config
        self._replicas = replicas
        self.device = replicas.device(config.run.device)
        if self.device.type == "cuda" and not torch.cuda.is_available():
            raise ConfigError('run.device: "cuda" was asked for, but torch finds no GPU')
        torch.manual_seed(config.run.seed)
        # Drawn on the CPU, so that the same seed begins with the same weights everywhere.
        self.model = build_model(config.model, vocabulary_size).to(self.device)
        self.optimizer = MasterOptimizer(self.model, config.optimizer)
        self.model.to(_PRECISIONS[config.run.precision])
        self.optimizer.publish()

    @property
    def parameters(self) -> int:
        """How many numbers are learnt."""
        return sum(weight.numel() for weight in self.optimizer.master.values())

    @property
    def weights(self) -> Mapping[str, Tensor]:
        """The float32 master weights, by parameter name."""
        return self.optimizer.master

    def update(self, planned: PlannedUpdate) -> UpdateFigures:
        """Do one update; every process calls this with the same plan.

        Raises:
            DivergenceError: The gradient is not finite; nothing was updated.
            ReplicaLostError: Another process has ended.
        """
        self.model.train()
        loss, target_tokens = 0.0, 0
        for index in self._replicas.share(len(planned.micro_batches)):
            torch.manual_seed(_seed(self._config.run.seed, planned.step, index))
            batch_loss, batch_tokens = self._backward(planned.micro_batches[index])
            loss += batch_loss
            target_tokens += batch_tokens
        totals = torch.tensor([loss, target_tokens], dtype=torch.float64)
        gradient = self.optimizer.gradient
        self._replicas.sum(gradient, totals)
        loss, tokens = totals.tolist()
        gradient.mul_(self._config.batch.tokens / tokens)
        rate = learning_rate(self._config.optimizer, planned.step, self._config.run.steps)
        norm = self.optimizer.update(rate)
        return UpdateFigures(loss / tokens, int(tokens), rate, norm)

    def _backward(self, micro_batch: MicroBatch) -> tuple[float, int]:
        """Add the gradients of a micro-batch; return its summed loss and its target tokens."""
        batch = collate(micro_batch).to(self.device)
        counts = batch.target_output != PAD
        smoothed, plain = smoothed_cross_entropy(
            self.model(batch.source, batch.target_input)[counts],
            self.model.output_weight,
            batch.target_output[counts],
            bias=self.model.output_bias,
            smoothing=self._config.optimizer.label_smoothing,
        )
        # About the mean over a full batch, so that half precision cannot overflow; `update`,
        # which knows how many tokens all processes had, makes it the mean.
        (smoothed / self._config.batch.tokens).backward()  # type: ignore[no-untyped-call]
        self.optimizer.accumulate()
        return float(plain), int(counts.sum())


def _seed(run: int, step: int, index: int) -> int:
    """Return the seed of a micro-batch's dropout."""
    return int(np.random.SeedSequence((run, step, index)).generate_state(1, np.uint64)[0])
