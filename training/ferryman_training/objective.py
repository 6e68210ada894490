"""What a model is taught with: the loss of a batch, and its gradients in the model.

Dimension key:
    B: sentences    T: target tokens    D: width
"""

from __future__ import annotations

from typing import Any, TypeVar, cast

import torch
from torch import Tensor

from ferryman_bundle.tokenizer import PAD
from ferryman_training.batching import Batch
from ferryman_training.guided_alignment import Guide
from ferryman_training.loss import smoothed_cross_entropy
from ferryman_training.optimizer_config import OptimizerConfig
from ferryman_training.precision import Precision
from ferryman_training.recurrent import Recurrent
from ferryman_training.sampling import sampling_share
from ferryman_training.seq2seq import Seq2Seq

T = TypeVar("T")


class Objective:
    """Smoothed cross-entropy per target token, by teacher forcing or with scheduled sampling.

    Args:
        model: What is taught.
        config: Smoothing, and of recurrent models truncation and sampling.
        precision: What the model computes in.
        guide: Holds the attention of the model to word links; None for not.
    """

    def __init__(
        self,
        model: Seq2Seq,
        config: OptimizerConfig,
        precision: Precision,
        *,
        guide: Guide | None = None,
    ) -> None:
        self._model = model
        self._config = config
        self._precision = precision
        self._guide = guide

    def backward(self, batch: Batch, *, step: int, scale: float) -> tuple[float, int]:
        """Add the gradients of a batch to those that the parameters have.

        Args:
            batch: On the device of the model.
            step: The update that it belongs to, from 1; sampling depends on it.
            scale: Of the summed loss whose gradients these are.

        Returns:
            The plain loss in nats, summed over target tokens, and how many those are.
        """
        own = sampling_share(self._config, step)
        if isinstance(self._model, Recurrent) and (own or self._config.truncate_targets):
            plain = self._backward_in_chunks(self._model, batch, own=own, scale=scale)
        else:
            with self._precision.computing(batch.source.device):
                hidden, guidance = self._pass(batch)
                smoothed, plain = self._loss(hidden, batch.target_output)
            ((smoothed + guidance) * scale).backward()  # type: ignore[no-untyped-call]
        return float(plain), int((batch.target_output != PAD).sum())

    def _pass(self, batch: Batch) -> tuple[Tensor, Tensor | float]:
        """Return what the output layer reads, (B, T, D), and what else is to be minimised."""
        if self._guide is None:
            return self._model(batch.source, batch.target_input), 0.0
        return self._guide.forward(batch)

    def _backward_in_chunks(
        self, model: Recurrent, batch: Batch, *, own: float, scale: float
    ) -> Tensor:
        """Go back through time over one chunk of the target after the other.

        Truncated back-propagation through time (Williams and Peng 1990, "An efficient
        gradient-based algorithm for on-line training of recurrent network trajectories"): the
        decoder's state passes from chunk to chunk, its gradient does not, so only one chunk's
        activations are in memory. The encoder is run once and gets the gradients of all chunks.
        """
        length = self._config.truncate_targets or batch.target_input.shape[1]
        total = torch.zeros((), device=batch.source.device)
        with self._precision.computing(batch.source.device):
            memory = model.encode(batch.source)
            state = model.initial_state(memory)
        encoded = [*_tensors(memory), *_tensors(state)]
        memory, state = _cut_off(memory), _cut_off(state)
        leaves = [*_tensors(memory), *_tensors(state)]
        for inputs, outputs in zip(
            torch.split(batch.target_input, length, dim=1),
            torch.split(batch.target_output, length, dim=1),
            strict=True,
        ):
            with self._precision.computing(batch.source.device):
                hidden, state = model.decode(memory, inputs, state, sampling=own)
                smoothed, plain = self._loss(hidden, outputs)
            (smoothed * scale).backward()  # type: ignore[no-untyped-call]
            total += plain
            state = _cut_off(state)
        reached = [
            (e, leaf.grad) for e, leaf in zip(encoded, leaves, strict=True) if leaf.grad is not None
        ]
        torch.autograd.backward([e for e, _ in reached], [gradient for _, gradient in reached])
        return total

    def _loss(self, hidden: Tensor, outputs: Tensor) -> tuple[Tensor, Tensor]:
        """Return the smoothed and the plain loss, summed over what is no padding.

        Args:
            hidden: What the output layer reads, (B, T, D).
            outputs: True tokens, (B, T).
        """
        counts = outputs != PAD
        return smoothed_cross_entropy(
            hidden[counts],
            self._model.output_weight,
            outputs[counts],
            bias=self._model.output_bias,
            smoothing=self._config.label_smoothing,
        )


def _tensors(value: Any) -> list[Tensor]:
    """Return the tensors in a NamedTuple of tensors, tuples of them, and None, in their order."""
    if isinstance(value, Tensor):
        return [value]
    return [tensor for part in value or () for tensor in _tensors(part)]


def _cut_off(value: T) -> T:
    """Return the same tensors as leaves: gradients arrive at them and go no further back."""
    if isinstance(value, Tensor):
        return cast("T", value.detach().requires_grad_(value.requires_grad))
    if isinstance(value, tuple):
        parts = [_cut_off(part) for part in value]
        made = type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
        return cast("T", made)
    return value
