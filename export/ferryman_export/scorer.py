"""The scorer: how likely given translations are, and what each of their tokens looks at.

Where a step extends hypotheses, the scorer takes whole targets, teacher-forced. It is loaded when
it is first asked for, and has its weights from the same store as the other graphs.

Dimension key:
    B: sources    S: source tokens    T: target tokens; S and T multiples of 8
    D: width    V: vocabulary
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch._higher_order_ops.scan import scan
from torch.nn import functional

from ferryman_bundle import StateTensor
from ferryman_bundle.tokenizer import EOS
from ferryman_export import recurrent_graphs
from ferryman_export.interface import Port
from ferryman_export.projection import FloatProjections
from ferryman_export.recurrent_steps import SourceMemory, decoder_step
from ferryman_training.recurrent import Recurrent
from ferryman_training.seq2seq import Seq2Seq

T = TypeVar("T")


class ScorerGraph(nn.Module):
    """Scores targets and aligns them with their sources.

    Args:
        model: The trained model.
        decoding: What takes whole targets through it.
        attends: Whether it says what they look at.
    """

    def __init__(self, model: Seq2Seq, decoding: nn.Module, *, attends: bool) -> None:
        super().__init__()
        self.output_weight, self.output_bias = model.output_weight, model.output_bias
        self.decoding = decoding
        self._attends = attends

    def inputs(self) -> list[Port]:
        """Sources as the encoder takes them; the start of sentence and the target's tokens."""
        source, target = ("sources", "source_length"), ("sources", "target_length")
        return [
            Port("input_ids", torch.int64, source),
            Port("attention_mask", torch.int64, source),
            Port("target_ids", torch.int64, target),
            Port("target_mask", torch.int64, target),
        ]

    def outputs(self) -> list[Port]:
        """What follows each token of the target: its log-probability, and what it looks at."""
        ports = [Port("token_log_probs", torch.float32, ("sources", "target_length"))]
        if self._attends:
            shape = ("sources", "target_length", "source_length")
            ports.append(Port("attention", torch.float32, shape))
        return ports

    def arguments(self, values: Sequence[T]) -> tuple[T, ...]:
        """Arrange one value per input the way `forward` takes them."""
        return tuple(values)

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, target_ids: Tensor, target_mask: Tensor
    ) -> tuple[Tensor, ...]:
        """Return the outputs, zeros where the target is padding.

        Position t of a target with n tokens is about token t + 1, and position n about the end of
        the sentence.
        """
        batch, length = target_ids.shape
        hidden, weights = self.decoding(input_ids, attention_mask, target_ids)
        hidden = hidden.reshape(batch * length, -1)
        logits = functional.linear(hidden, self.output_weight, self.output_bias)
        log_probs = torch.log_softmax(logits.float(), dim=-1)
        labels = _following(target_ids, target_mask).reshape(batch * length, 1)
        token_log_probs = log_probs.gather(1, labels).view(batch, length)
        counts = target_mask != 0
        token_log_probs = torch.where(counts, token_log_probs, 0.0)
        if weights is None:
            return (token_log_probs,)
        return token_log_probs, torch.where(counts[:, :, None], weights.float(), 0.0)


class StepByStep(nn.Module):
    """Targets through a recurrent decoder, a loop over its steps.

    Args:
        model: The trained model.
        state: As declared.
    """

    def __init__(self, model: Recurrent, state: Sequence[StateTensor]) -> None:
        super().__init__()
        self.config = model.config
        self.embedding = model.target_embedding
        self.encoder = recurrent_graphs.EncoderGraph(model, FloatProjections(), state)
        self.step = decoder_step(model, FloatProjections(), alone=True)

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, target_ids: Tensor
    ) -> tuple[Tensor, Tensor | None]:
        """Return what the output layer reads, (B, T, D), and weights of attention, (B, T, S)."""
        memory, states, feed = self.encoder.read(input_ids, attention_mask)
        if memory is not None:
            # A loop takes no two views of the same memory.
            memory = SourceMemory(*(tensor.clone() for tensor in memory))
        flat = [tensor for state in states for tensor in state]
        width = len(states[0])

        def step(carried: list[Tensor], embedded: Tensor) -> tuple[list[Tensor], list[Tensor]]:
            """Take one token, (B, D)."""
            layers = [tuple(carried[i : i + width]) for i in range(0, len(flat), width)]
            fed = None if feed is None else carried[-1]
            stepped = self.step(embedded, layers, fed, memory)
            after = [tensor for state in stepped.states for tensor in state]
            after += [] if stepped.feed is None else [stepped.feed]
            seen = [stepped.hidden] + ([] if stepped.weights is None else [stepped.weights])
            # The operator wants all its results to be tensors of their own.
            return after, [tensor.clone() for tensor in seen]

        # A loop wants its first state laid out in memory as every later one is.
        first = [tensor.contiguous() for tensor in (*flat, *(() if feed is None else (feed,)))]
        embedded = self.embedding(target_ids.t()) * self.config.width**0.5
        _, seen = scan(step, first, embedded)
        hidden, *weights = (tensor.transpose(0, 1) for tensor in seen)
        return hidden, weights[0] if weights else None


def _following(target_ids: Tensor, target_mask: Tensor) -> Tensor:
    """Return the token after each one, the end of sentence after the last, (B, T)."""
    end = torch.full_like(target_ids[:, :1], EOS)
    following = torch.cat([target_ids[:, 1:], end], dim=1)
    counts = torch.cat([target_mask[:, 1:], torch.zeros_like(end)], dim=1)
    return torch.where(counts != 0, following, EOS)
