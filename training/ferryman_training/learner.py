"""A model and its optimizer: one update after the other.

One update: its micro-batches -> forward -> smoothed cross-entropy -> backward -> sum over
processes -> mean per target token -> clip -> optimizer. Chance depends on (seed, step, micro-batch)
alone, so a resumed run, or one with another number of processes, sees the same dropout.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ferryman_training.batching import PlannedUpdate, collate
from ferryman_training.config import TrainingConfig
from ferryman_training.errors import ConfigError
from ferryman_training.guided_alignment import Guide
from ferryman_training.links import WordLinker
from ferryman_training.objective import Objective
from ferryman_training.optimization import MasterOptimizer
from ferryman_training.precision import Precision
from ferryman_training.replicas import Replicas
from ferryman_training.schedules import Schedule
from ferryman_training.seq2seq import build_model
from ferryman_training.transformer import Transformer


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
    loss_scale: float = 1.0
    """Other than 1 in float16 only."""


@dataclass(frozen=True, slots=True)
class SkippedUpdate:
    """An update that came to nothing, since its loss or gradient is infinite or no number."""

    reason: str
    loss_scale: float | None
    """The smaller scale that may help, where that is all there is to it; None for a fault."""


class Learner:
    """The model that computes, with its master weights, optimizer and learning rate.

    Args:
        config: The run.
        vocabulary_size: Pieces of the tokenizer.
        replicas: The processes that share each update.
        linker: Links words, for a model that has an aligned head; None for one that has none.

    Raises:
        ConfigError: The device asked for is not there.
    """

    def __init__(
        self,
        config: TrainingConfig,
        vocabulary_size: int,
        *,
        replicas: Replicas,
        linker: WordLinker | None = None,
    ) -> None:
        self._config = config
        self._replicas = replicas
        self.device = replicas.device(config.run.device)
        if self.device.type == "cuda" and not torch.cuda.is_available():
            raise ConfigError('run.device: "cuda" was asked for, but torch finds no GPU')
        torch.manual_seed(config.run.seed)
        # Drawn on the CPU, so that the same seed begins with the same weights everywhere.
        self.model = build_model(config.model, vocabulary_size).to(self.device)
        self.optimizer = MasterOptimizer(self.model, config.optimizer)
        precision = Precision(config.run)
        self.model.to(precision.weights)
        self.optimizer.publish()
        guide = None
        if linker is not None and isinstance(self.model, Transformer):
            guide = Guide(self.model, linker, weight=config.alignment.weight)
        self._objective = Objective(self.model, config.optimizer, precision, guide=guide)
        self._loss_scale = precision.loss_scale()
        self.schedule = Schedule(config.optimizer, steps=config.run.steps, width=config.model.width)

    @property
    def parameters(self) -> int:
        """How many numbers are learnt."""
        return sum(weight.numel() for weight in self.optimizer.master.values())

    @property
    def weights(self) -> Mapping[str, Tensor]:
        """The float32 master weights, by parameter name."""
        return self.optimizer.master

    def update(self, planned: PlannedUpdate) -> UpdateFigures | SkippedUpdate:
        """Do one update; every process calls this with the same plan and gets the same answer.

        Raises:
            ReplicaLostError: Another process has ended.
        """
        loss, tokens = self._gradient(planned)
        norm = self.optimizer.gradient_norm()
        if not (math.isfinite(loss) and math.isfinite(norm)):
            self.optimizer.discard()
            return self._skipped(loss, norm)
        rate = self.schedule.rate(planned.step)
        self.optimizer.update(rate)
        figures = UpdateFigures(loss / tokens, tokens, rate, norm, self._loss_scale.value)
        self._loss_scale.passed()
        return figures

    def _gradient(self, planned: PlannedUpdate) -> tuple[float, int]:
        """Compute the gradient of the mean loss; return the summed loss and the target tokens."""
        self.model.train()
        loss, target_tokens = 0.0, 0
        # About the mean over a full batch, so that half precision cannot overflow; made the mean
        # below, where it is known how many tokens all processes had.
        full = self._config.batch.tokens
        scale = self._loss_scale.value / full
        for index in self._replicas.share(len(planned.micro_batches)):
            torch.manual_seed(_seed(self._config.run.seed, planned.step, index))
            batch = collate(planned.micro_batches[index]).to(self.device)
            batch_loss, batch_tokens = self._objective.backward(
                batch, step=planned.step, scale=scale
            )
            self.optimizer.accumulate()
            loss += batch_loss
            target_tokens += batch_tokens
        totals = torch.tensor([loss, target_tokens], dtype=torch.float64)
        self._replicas.sum(self.optimizer.gradient, totals)
        loss, tokens = totals.tolist()
        self.optimizer.gradient.mul_(full / (self._loss_scale.value * tokens))
        return loss, int(tokens)

    def _skipped(self, loss: float, norm: float) -> SkippedUpdate:
        if not math.isfinite(loss):
            # The loss is computed before it is scaled, so no other scale would help.
            return SkippedUpdate(f"the loss is {loss}", None)
        lowered = self._loss_scale.overflowed()
        return SkippedUpdate(
            f"the norm of the gradient is {norm}", self._loss_scale.value if lowered else None
        )

    def state_dict(self) -> dict[str, Any]:
        """Return all that the next updates depend on, for resuming."""
        return {
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "loss_scale": self._loss_scale.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go back to a saved state; the first runs saved the optimizer only."""
        self.optimizer.load_state_dict(state["optimizer"])
        if "schedule" in state:
            self.schedule.load_state_dict(state["schedule"])
            self._loss_scale.load_state_dict(state["loss_scale"])


def _seed(run: int, step: int, index: int) -> int:
    """Return the seed of a micro-batch's dropout."""
    return int(np.random.SeedSequence((run, step, index)).generate_state(1, np.uint64)[0])
