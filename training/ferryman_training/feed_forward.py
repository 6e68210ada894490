"""The feed-forward block of a Transformer layer (https://arxiv.org/abs/1706.03762, section 3.3).

Dimension key:
    B: sentences    T: tokens    D: width    F: feed-forward width
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from ferryman_training.model_config import Activation


class FeedForward(nn.Module):
    """Equation 2: two matrices with an activation between them.

    With ``swiglu`` (Shazeer 2020, https://arxiv.org/abs/2002.05202, equation 6) the first one is
    two side by side, the gate and what it lets through; here both have a bias, as in equation 2.
    """

    def __init__(self, width: int, hidden: int, activation: Activation) -> None:
        super().__init__()
        self.activation = activation
        self.expand = nn.Linear(width, 2 * hidden if activation == "swiglu" else hidden)
        self.contract = nn.Linear(hidden, width)

    def activate(self, expanded: Tensor) -> Tensor:
        """Return what the second matrix reads, (..., F), from what the first one gives."""
        match self.activation:
            case "relu":
                return functional.relu(expanded)
            case "gelu":
                return functional.gelu(expanded)
            case "swiglu":
                gate, value = expanded.chunk(2, dim=-1)
                return functional.silu(gate) * value

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, D) -> (B, T, D)."""
        contracted: Tensor = self.contract(self.activate(self.expand(x)))
        return contracted
