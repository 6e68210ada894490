"""How a run learns: the optimizer, its learning rate, and what is minimised."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ferryman_training.config_section import Fraction, Positive, Section


class OptimizerConfig(Section):
    """Optimizer and learning-rate schedule."""

    kind: Literal["adamw", "muon"] = "adamw"
    """``muon`` orthogonalises the updates of matrices (torch.optim.Muon); the rest is AdamW."""
    learning_rate: Annotated[float, Field(gt=0)] = 1.4e-3
    """The peak, at the end of the warm-up."""
    warmup_steps: Positive = 800
    """The first so many updates go up linearly from zero."""
    schedule: Literal["inverse-sqrt", "constant"] = "inverse-sqrt"
    """What follows the warm-up, until the cool-down."""
    cooldown_steps: Annotated[int, Field(ge=0)] = 1500
    """The last so many updates go down linearly to zero."""
    betas: tuple[Fraction, Fraction] = (0.9, 0.98)
    """Decay of the two moments of AdamW."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    """Decoupled, times the learning rate, of every parameter."""
    clip_norm: Annotated[float, Field(gt=0)] = 1.0
    """Gradients with a greater L2 norm are scaled down to it."""
    label_smoothing: Fraction = 0.1
