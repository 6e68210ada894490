"""What happens when updates come to nothing: skip, go back, and in the end give up.

An update whose loss or gradient is infinite or no number is skipped: weights and optimizer stay
as they are, and the next batch may be better. When several in a row fail, it is the weights that
are bad. Then the run goes back to the weights of its last checkpoint and goes on with the batches
after the bad ones (as Chowdhery et al. 2022, https://arxiv.org/abs/2204.02311, section 5.1, did
after spikes of the loss), with half the learning rate, since the old one led here.
"""

from __future__ import annotations

from ferryman_training.errors import DivergenceError
from ferryman_training.run_config import RunConfig

ROLLBACK_FACTOR = 0.5
"""What each of several rollbacks in a row multiplies the learning rate by."""


class Guard:
    """Counts failed updates and rollbacks, and decides what follows.

    Args:
        config: How many of each are too many.
    """

    def __init__(self, config: RunConfig) -> None:
        self._config = config
        self._skipped = 0
        self._rollbacks = 0
        self._learning = False

    @property
    def calm(self) -> bool:
        """True when the newest update did not fail, so that its weights are known to be good."""
        return self._skipped == 0

    def passed(self) -> None:
        """Note an update that was done."""
        self._skipped = 0
        self._learning = True

    def failed(self) -> bool:
        """Note an update that failed; return whether it is time to go back."""
        self._skipped += 1
        return self._skipped > self._config.max_skipped

    def saved(self) -> None:
        """Note a checkpoint; if updates have succeeded since a rollback, that has helped."""
        if self._learning:
            self._rollbacks = 0

    def roll_back(self, reason: str) -> float:
        """Note that the run goes back; return what its learning rate is multiplied by.

        Args:
            reason: Why, for the error.

        Raises:
            DivergenceError: It has gone back too often without reaching another checkpoint.
        """
        self._skipped = 0
        self._learning = False
        self._rollbacks += 1
        if self._rollbacks > self._config.max_rollbacks:
            raise DivergenceError(
                f"{reason}, after {self._config.max_rollbacks} rollbacks in a row; the last "
                "checkpoint is from before. Lower optimizer.learning_rate or lengthen "
                "optimizer.warmup_steps, and look at the corpus for damaged lines"
            )
        return ROLLBACK_FACTOR**self._rollbacks
