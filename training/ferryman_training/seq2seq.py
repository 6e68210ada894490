"""What every model family is: an encoder, and a decoder that goes teacher-forced or step by step.

Training, decoding and export know models by this interface only, so a new family is a subclass,
a section of `model_config` and a line of `build_model`.

Dimension key:
    B: sentences    S: source tokens    T: target tokens    R: rows, one a hypothesis
    D: width    V: vocabulary
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, TypeAlias

from torch import Tensor, nn
from torch.nn import functional

from ferryman_training.model_config import ModelConfig, RecurrentConfig, TransformerConfig

Memory: TypeAlias = Any
"""What the encoder hands to the decoder: a NamedTuple of tensors, in each family another.

Axis 0 is the sentence. No step changes it.
"""
State: TypeAlias = Any
"""What passes from one decoder step to the next: a NamedTuple of tensors, axis 0 the row."""


class Seq2Seq(nn.Module, ABC):
    """A model that maps a sequence of tokens to another.

    Padding never leaks: what comes out for a sentence does not depend on what it is padded with
    or on who else is in the batch, but for the order of sums.
    """

    config: ModelConfig

    @property
    @abstractmethod
    def source_embedding(self) -> nn.Embedding:
        """The vectors of source tokens; the same module as those of the target where tied."""

    @property
    @abstractmethod
    def target_embedding(self) -> nn.Embedding:
        """The vectors of target tokens."""

    @property
    @abstractmethod
    def output_weight(self) -> Tensor:
        """The matrix of the output layer, (V, D); the target embedding where tied."""

    @property
    @abstractmethod
    def output_bias(self) -> Tensor | None:
        """What the output layer adds, (V,); None for nothing."""

    @abstractmethod
    def encode(self, source: Tensor) -> Memory:
        """Read the source.

        Args:
            source: Token ids with the end of sentence, padded with PAD on the right, (B, S).
        """

    @abstractmethod
    def initial_state(self, memory: Memory) -> State:
        """Return the state before the first step, one row for each sentence of the memory."""

    @abstractmethod
    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        """Teacher-forced pass: every position sees the true target before it.

        Args:
            source: (B, S), see `encode`.
            target: The start of sentence and the target tokens, padded with PAD, (B, T).

        Returns:
            What the output layer reads, (B, T, D); see `logits`.
        """

    @abstractmethod
    def step(self, ids: Tensor, memory: Memory, state: State) -> tuple[Tensor, State]:
        """Extend every target by one token.

        Args:
            ids: The last token of each row's target, (R,).
            memory: From `encode`; row r belongs to its sentence r.
            state: From the step before, or `initial_state`.

        Returns:
            Logits of the next token, (R, V), and the state after it.
        """

    @abstractmethod
    def attention(self, source: Tensor, target: Tensor) -> Tensor | None:
        """Return what each position of a teacher-forced pass looks at.

        Args:
            source: (B, S), see `encode`.
            target: (B, T), see `forward`.

        Returns:
            Weights (B, T, S): every row sums to one over the tokens of its source, and padding has
            none. None where the model has no attention.
        """

    def logits(self, hidden: Tensor) -> Tensor:
        """The output layer, (..., D) -> (..., V)."""
        return functional.linear(hidden, self.output_weight, self.output_bias)


def build_model(config: ModelConfig, vocabulary_size: int) -> Seq2Seq:
    """Return a new model with random weights, drawn from torch's source of chance.

    Args:
        config: Family and sizes.
        vocabulary_size: Pieces of the tokenizer.
    """
    # Late: the families import this module.
    from ferryman_training.recurrent import Recurrent
    from ferryman_training.transformer import Transformer

    match config:
        case TransformerConfig():
            return Transformer(config, vocabulary_size)
        case RecurrentConfig():
            return Recurrent(config, vocabulary_size)
