"""A hypothesis in the making, where a search keeps each as a value of its own."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ferryman_server.engine.job import FinishReason, Hypothesis
from ferryman_server.engine.search_options import Search


@dataclass(frozen=True, slots=True)
class Draft:
    """Tokens so far, and what they are worth."""

    ids: tuple[int, ...] = ()
    """With the end of the sentence, once it has come."""
    token_log_probs: tuple[float, ...] = ()
    """The model's."""
    log_prob: float = 0.0
    """The sum of ``token_log_probs``."""
    total: float = 0.0
    """The same as the search adds it up, with what its rules change."""

    def extended(self, token: int, log_prob: float, adjusted: float) -> Draft:
        """Return this draft and one more token.

        Args:
            token: The token.
            log_prob: What the model gives it.
            adjusted: What the search makes of that.
        """
        return Draft(
            (*self.ids, token),
            (*self.token_log_probs, log_prob),
            self.log_prob + log_prob,
            self.total + adjusted,
        )

    def score(self, search: Search) -> float:
        """Return what it is ranked by."""
        return search.score(self.total, max(len(self.ids), 1))

    def hypothesis(self, search: Search, reason: FinishReason) -> Hypothesis:
        """Return it as an answer, without its end."""
        return Hypothesis(
            ids=self.ids[:-1] if reason is FinishReason.EOS else self.ids,
            token_log_probs=self.token_log_probs,
            log_prob=self.log_prob,
            score=self.score(search),
            finish_reason=reason,
        )


def shared_prefix(sequences: Iterable[tuple[int, ...]]) -> tuple[int, ...]:
    """Return what all sequences start with; nothing where there are none.

    >>> shared_prefix([(5, 6, 7), (5, 6), (5, 6, 8)])
    (5, 6)
    """
    # All others lie between the least and the greatest, and start as those two do.
    ordered = list(sequences)
    if not ordered:
        return ()
    least, greatest = min(ordered), max(ordered)
    for place, token in enumerate(least):
        if place == len(greatest) or greatest[place] != token:
            return least[:place]
    return least
