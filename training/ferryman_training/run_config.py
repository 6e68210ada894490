"""How long a run goes on, on what, and what it does on the way."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ferryman_training.config_section import Fraction, Positive, Section

Metric = Literal["bleu", "chrf", "loss"]
"""A figure of a validation that can say which of two models is better."""


class RunConfig(Section):
    """How long to train, and what to do on the way."""

    steps: Positive = 10_000
    """Updates in all."""
    device: Literal["cpu", "cuda", "auto"] = "cpu"
    """``auto`` takes CUDA where there is a GPU."""
    precision: Literal["float32", "bfloat16", "float16"] = "bfloat16"
    """What is computed in; master weights are float32, and ``float16`` has a loss scale."""
    autocast: bool = False
    """Weights stay float32, and torch.autocast decides what is computed in ``precision``."""
    seed: int = 20261121
    """Decides initial weights, vocabulary sample, order of the corpus, dropout."""
    log_every: Positive = 50
    """Updates between lines of the log; the figures are means over as many."""
    tensorboard: bool = False
    """Scalars go to OUT/tensorboard as well; needs ferryman[tensorboard]."""
    validate_every: Positive = 1000
    """Updates between validations: loss on all, BLEU and chrF by real decoding on some."""
    validation_sentences: Positive = 400
    """Sentences that are decoded for BLEU and chrF during training."""
    metric: Metric = "bleu"
    """What makes a checkpoint the best, a run stop early, and ``plateau`` lower the rate."""
    stop_patience: Annotated[int, Field(ge=0)] = 0
    """The run ends after so many validations without a better ``metric``; 0: at ``steps`` only."""
    checkpoint_every: Positive = 250
    """Updates between checkpoints; there is one after every validation, too."""
    keep_last: Positive = 1
    """The newest so many checkpoints stay."""
    keep_best: Positive = 1
    """The so many best validated checkpoints stay as well."""
    average_last: Positive = 5
    """At the end the last so many averaging points are averaged into the final weights."""
    average_every: Positive = 250
    """Updates between averaging points."""
    average_decay: Fraction = 0.0
    """Not 0: validated and saved is an exponential moving average, and no points are averaged."""
    max_skipped: Positive = 5
    """So many updates in a row may come to nothing before the run goes back to its checkpoint."""
    max_rollbacks: Positive = 3
    """So often in a row it may go back, each time with half the learning rate, before it fails."""
    threads: Annotated[int, Field(ge=0)] = 0
    """Threads per process; 0 shares the machine's cores out over the processes."""
