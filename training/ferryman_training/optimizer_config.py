"""How a run learns: the optimizer, its learning rate, and what is minimised."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ferryman_training.config_section import Fraction, Positive, Section


class OptimizerConfig(Section):
    """Optimizer, learning-rate schedule, and how gradients come about."""

    kind: Literal["adam", "adamw", "sgd", "adafactor", "muon"] = "adamw"
    """``muon`` orthogonalises the updates of matrices (torch.optim.Muon); the rest is AdamW."""
    learning_rate: Annotated[float, Field(gt=0)] = 1.4e-3
    """The peak, at the end of the warm-up; with ``noam`` a factor of the paper's rate."""
    warmup_steps: Positive = 800
    """The first so many updates go up linearly from zero."""
    schedule: Literal["noam", "inverse-sqrt", "cosine", "plateau", "constant"] = "inverse-sqrt"
    """What follows the warm-up, until the cool-down."""
    cooldown_steps: Annotated[int, Field(ge=0)] = 1500
    """The last so many updates go down linearly to zero."""
    plateau_factor: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """What ``plateau`` multiplies the rate by when ``run.metric`` has stopped improving."""
    plateau_patience: Positive = 3
    """Validations without a better ``run.metric`` after which ``plateau`` lowers the rate."""
    betas: tuple[Fraction, Fraction] = (0.9, 0.98)
    """Decay of the two moments of Adam and AdamW."""
    momentum: Fraction = 0.9
    """Of ``sgd``."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    """Decoupled, times the learning rate; ``adam`` and ``sgd`` add it to the gradient instead."""
    clip_norm: Annotated[float, Field(ge=0)] = 1.0
    """Gradients with a greater L2 norm are scaled down to it; 0 for no limit."""
    clip_value: Annotated[float, Field(ge=0)] = 0.0
    """Every number of a gradient is cut to plus or minus this, before the norm; 0 for no limit."""
    label_smoothing: Fraction = 0.1
    """Share of the target spread evenly over the vocabulary."""
    truncate_targets: Annotated[int, Field(ge=0)] = 0
    """Recurrent models: gradients go back over so many target tokens at most; 0 for all."""
    sampling: Literal["none", "linear", "exponential", "inverse-sigmoid"] = "none"
    """Recurrent models: how the share of own predictions among decoder inputs grows."""
    sampling_halfway: Positive = 10_000
    """The update by which half of those inputs would be the model's own, without the limit."""
    sampling_limit: Annotated[float, Field(gt=0, le=1)] = 0.5
    """The greatest share of own predictions."""
