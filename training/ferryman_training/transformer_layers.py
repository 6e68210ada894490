"""The layers of a Transformer: attention and feed-forward blocks, each with a way around it.

A layer normalises the input of each block (``pre``; Xiong et al. 2020,
https://arxiv.org/abs/2002.04745) or, as in https://arxiv.org/abs/1706.03762, section 3.1, the sum
of the block and what goes around it (``post``).

Dimension key:
    B: sentences    S: source tokens    T: target tokens    D: width    H: heads
    K: width of a head
"""

from __future__ import annotations

from torch import Tensor, nn

from ferryman_training.attention import CrossAttention, SelfAttention
from ferryman_training.feed_forward import FeedForward
from ferryman_training.model_config import TransformerConfig
from ferryman_training.positions import Rotation


class Layer(nn.Module):
    """What every layer has: self-attention, a feed-forward block, and where it normalises.

    A block is applied as ``x = after(norm, x, block(before(norm, x)))``. Layers make their modules
    themselves, in the order of their use: that of parameters, and of the draws of first weights.
    """

    attention_norm: nn.LayerNorm
    attention: SelfAttention
    feed_forward_norm: nn.LayerNorm
    feed_forward: FeedForward

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.norm_first = config.norm == "pre"
        self.dropout = nn.Dropout(config.dropout)

    def before(self, norm: nn.Module, x: Tensor) -> Tensor:
        """Return what a block reads, (B, T, D)."""
        normalised: Tensor = norm(x) if self.norm_first else x
        return normalised

    def after(self, norm: nn.Module, x: Tensor, block: Tensor) -> Tensor:
        """Return what follows a block: its output added to its input, (B, T, D)."""
        x = x + self.dropout(block)
        added: Tensor = x if self.norm_first else norm(x)
        return added

    def feed(self, x: Tensor) -> Tensor:
        """The feed-forward block, (B, T, D) -> (B, T, D)."""
        block = self.feed_forward(self.before(self.feed_forward_norm, x))
        return self.after(self.feed_forward_norm, x, block)


class EncoderLayer(Layer):
    """Self-attention and feed-forward."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__(config)
        self.attention_norm = nn.LayerNorm(config.width)
        self.attention = SelfAttention(config.width, config.heads)
        self.feed_forward_norm = nn.LayerNorm(config.width)
        self.feed_forward = FeedForward(config.width, config.feed_forward, config.activation)

    def forward(self, x: Tensor, bias: Tensor | None, rotation: Rotation | None) -> Tensor:
        """Read the source once more.

        Args:
            x: (B, S, D).
            bias: See `attention.attend`.
            rotation: Of the positions; None where they are not turned.

        Returns:
            (B, S, D).
        """
        block = self.attention(self.before(self.attention_norm, x), bias, rotation)
        return self.feed(self.after(self.attention_norm, x, block))


class DecoderLayer(Layer):
    """Self-attention, attention to the source, feed-forward.

    Self-attention differs between whole targets and one step, the rest does not: `settle` what
    self-attention gave, then `finish`.
    """

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__(config)
        self.attention_norm = nn.LayerNorm(config.width)
        self.attention = SelfAttention(config.width, config.heads)
        self.cross_norm = nn.LayerNorm(config.width)
        self.cross = CrossAttention(config.width, config.heads)
        self.feed_forward_norm = nn.LayerNorm(config.width)
        self.feed_forward = FeedForward(config.width, config.feed_forward, config.activation)

    def settle(self, x: Tensor, attended: Tensor) -> Tensor:
        """Return what follows self-attention, from the layer's input and its result, (B, T, D)."""
        return self.after(self.attention_norm, x, attended)

    def finish(self, x: Tensor, keys: Tensor, values: Tensor, bias: Tensor) -> Tensor:
        """Attend to the source and feed forward.

        Args:
            x: From `settle`, (B, T, D).
            keys: Cross-attention keys, (B, H, S, K).
            values: Cross-attention values, (B, H, S, K).
            bias: Source padding, (B, 1, 1, S).

        Returns:
            (B, T, D).
        """
        block = self.cross(self.before(self.cross_norm, x), keys, values, bias)
        return self.feed(self.after(self.cross_norm, x, block))

    def looks(self, x: Tensor, keys: Tensor, bias: Tensor) -> Tensor:
        """Return the weights by which `finish` attends to the source, (B, H, T, S)."""
        return self.cross.weights(self.before(self.cross_norm, x), keys, bias)

    def log_looks(self, x: Tensor, keys: Tensor, bias: Tensor, *, head: int) -> Tensor:
        """Return the logarithm of the weights of one head, float32 (B, T, S)."""
        return self.cross.log_weights(self.before(self.cross_norm, x), keys, bias, head=head)
