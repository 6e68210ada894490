"""The search of one source by rules of its own.

A search with rules for single tokens cannot be one line of array arithmetic over a whole batch. It
keeps its few hypotheses itself, and the batch asks it what its rows go on with.

Dimension key:
    W: beam width    k: candidates for each hypothesis; all V with the full tail
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

from ferryman_server.engine.draft import Draft, shared_prefix
from ferryman_server.engine.job import FinishReason, Hypothesis
from ferryman_server.engine.loops import is_loop, is_time_to_look
from ferryman_server.engine.rules import Rules
from ferryman_server.engine.search import Doubles, Floats, Ints
from ferryman_server.engine.search_options import Search


class Extension(NamedTuple):
    """What the rows of one source go on with."""

    ids: list[int]
    """The token of each hypothesis, (W)."""
    parents: list[int]
    """The hypothesis, one step ago, that it extends, (W)."""


class RuledSearch(ABC):
    """The hypotheses of one source.

    Args:
        search: How to look for the target.
        source: The source.
        eos: The token that ends a sentence.

    Attributes:
        candidates: How many of each hypothesis the next step must offer, unless it offers all.
        is_done: Whether the answer is complete.
    """

    def __init__(self, search: Search, source: tuple[int, ...], *, eos: int) -> None:
        self.candidates = 1
        self.is_done = False
        self._search = search
        self._eos = eos
        self._rules = Rules(search, eos=eos)
        self._source = source
        self._forbidden: list[set[int]] = []

    @abstractmethod
    def extend(self, log_probs: Floats, ids: Ints) -> Extension:
        """Extend every hypothesis by one token.

        Args:
            log_probs: Log-probabilities of what is on offer to each hypothesis, (W, k).
            ids: The tokens on offer, (W, k).
        """

    @abstractmethod
    def hypotheses(self) -> list[Hypothesis]:
        """Return the finished hypotheses, best first."""

    @abstractmethod
    def possible_answers(self) -> list[tuple[int, ...]]:
        """Return the tokens of everything that the best answer can be or can still grow from."""

    def settled(self) -> tuple[int, ...]:
        """Return the first tokens of the best answer, as far as they are certain."""
        return shared_prefix(self.possible_answers())

    def _look_ahead(self, drafts: list[Draft | None], offered: list[int]) -> None:
        """Find out what may come next, and how many candidates that takes.

        Args:
            drafts: The hypotheses that go on; None where there is none.
            offered: How many candidates each needs that may come.
        """
        self._forbidden = [
            set() if draft is None else self._rules.forbidden(draft.ids) for draft in drafts
        ]
        self.candidates = max(
            count + len(forbidden)
            for count, forbidden in zip(offered, self._forbidden, strict=True)
        )

    def _adjusted(self, rank: int, draft: Draft, log_probs: Floats, ids: Ints) -> Doubles:
        """Return what the rules make of what is on offer to one hypothesis, (k)."""
        return self._rules.adjusted(
            draft.ids, log_probs[rank], ids[rank], forbidden=self._forbidden[rank]
        )

    def _is_loop(self, draft: Draft) -> bool:
        ids, loop_tokens = draft.ids, self._search.loop_tokens
        return is_time_to_look(len(ids), loop_tokens) and is_loop(
            lambda count: ids[-count:], loop_tokens, self._source
        )

    def _reason(self, draft: Draft) -> FinishReason:
        """Return why a draft ends that did not loop."""
        ended = draft.ids[-1:] == (self._eos,)
        return FinishReason.EOS if ended else FinishReason.MAX_TOKENS
