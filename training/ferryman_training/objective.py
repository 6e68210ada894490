"""What a model is taught with: the loss of a batch, and its gradients in the model.

Dimension key:
    B: sentences    T: target tokens    D: width
"""

from __future__ import annotations

from torch import Tensor

from ferryman_bundle.tokenizer import PAD
from ferryman_training.batching import Batch
from ferryman_training.loss import smoothed_cross_entropy
from ferryman_training.optimizer_config import OptimizerConfig
from ferryman_training.precision import Precision
from ferryman_training.seq2seq import Seq2Seq


class Objective:
    """Smoothed cross-entropy per target token, by teacher forcing.

    Args:
        model: What is taught.
        config: Smoothing.
        precision: What the model computes in.
    """

    def __init__(self, model: Seq2Seq, config: OptimizerConfig, precision: Precision) -> None:
        self._model = model
        self._config = config
        self._precision = precision

    def backward(self, batch: Batch, *, scale: float) -> tuple[float, int]:
        """Add the gradients of a batch to those that the parameters have.

        Args:
            batch: On the device of the model.
            scale: Of the summed loss whose gradients these are.

        Returns:
            The plain loss in nats, summed over target tokens, and how many those are.
        """
        with self._precision.computing(batch.source.device):
            hidden = self._model(batch.source, batch.target_input)
            smoothed, plain = self._loss(hidden, batch.target_output)
        (smoothed * scale).backward()  # type: ignore[no-untyped-call]
        return float(plain), int((batch.target_output != PAD).sum())

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
