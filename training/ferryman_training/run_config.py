"""How long a run goes on, on what, and what it does on the way."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ferryman_training.config_section import Positive, Section


class RunConfig(Section):
    """How long to train, and what to do on the way."""

    steps: Positive = 10_000
    """Updates in all."""
    device: Literal["cpu", "cuda", "auto"] = "cpu"
    """``auto`` takes CUDA where there is a GPU."""
    precision: Literal["float32", "bfloat16"] = "bfloat16"
    """``bfloat16`` computes in bfloat16 and keeps float32 master weights."""
    seed: int = 20261121
    """Decides initial weights, vocabulary sample, order of the corpus, dropout."""
    log_every: Positive = 50
    """Updates between lines of the log; the figures are means over as many."""
    validate_every: Positive = 1000
    """Updates between validations: loss on all, BLEU and chrF by real decoding on some."""
    validation_sentences: Positive = 400
    """Sentences that are decoded for BLEU and chrF during training."""
    checkpoint_every: Positive = 250
    """Updates between checkpoints."""
    average_last: Positive = 5
    """At the end the last so many averaging points are averaged into the final weights."""
    average_every: Positive = 250
    """Updates between averaging points."""
    threads: Annotated[int, Field(ge=0)] = 0
    """Threads per process; 0 shares the machine's cores out over the processes."""
