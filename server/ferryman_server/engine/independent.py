"""Hypotheses that go their own ways side by side: samples, and alternatives after a prefix.

Dimension key:
    W: hypotheses    k: candidates for each; all V with the full tail
"""

from __future__ import annotations

import numpy as np

from ferryman_server.engine.draft import Draft
from ferryman_server.engine.job import FinishReason, Hypothesis
from ferryman_server.engine.ruled import Extension, RuledSearch
from ferryman_server.engine.sampling import draw, uniforms
from ferryman_server.engine.search import Doubles, Floats, Ints, best_places
from ferryman_server.engine.search_options import Search


class IndependentSearch(RuledSearch):
    """W hypotheses of one source, none of which ever takes the place of another.

    With sampling, each draws its tokens from a stream of random numbers of its own. With
    alternatives, each takes another of the W likeliest tokens after the prefix, and then the
    likeliest token at every step.

    Args:
        search: How to look for the targets.
        source: The source.
        eos: The token that ends a sentence.
    """

    def __init__(self, search: Search, source: tuple[int, ...], *, eos: int) -> None:
        super().__init__(search, source, eos=eos)
        self._alive: list[Draft | None] = [Draft() for _ in range(search.rows)]
        self._ended: dict[int, tuple[Draft, FinishReason]] = {}
        self._uniforms: list[list[float]] = []
        if search.sampling is not None:
            seed = search.sampling.seed
            self._uniforms = [uniforms(seed, row, search.max_tokens) for row in range(search.rows)]
        self._prepare()

    def extend(self, log_probs: Floats, ids: Ints) -> Extension:
        """Extend every hypothesis by one token; see `RuledSearch.extend`."""
        extended = [
            None if draft is None else self._extended(rank, draft, log_probs, ids)
            for rank, draft in enumerate(self._alive)
        ]
        self._alive = extended
        self.is_done = not any(extended)
        self._prepare()
        tokens = [0 if draft is None else draft.ids[-1] for draft in extended]
        return Extension(tokens, list(range(len(tokens))))

    def hypotheses(self) -> list[Hypothesis]:
        """Return the finished hypotheses, best first, then those cut in a loop."""
        search = self._search
        # Equal scores keep the order of the rows, which do not end in it.
        ranked = sorted(
            (self._ended[row] for row in sorted(self._ended)),
            key=lambda ended: (ended[1] is FinishReason.LOOP_GUARD, -ended[0].score(search)),
        )
        return [draft.hypothesis(search, reason) for draft, reason in ranked]

    def possible_answers(self) -> list[tuple[int, ...]]:
        """Return what the best answer can be or grow from; see `RuledSearch.possible_answers`."""
        ended = [
            draft.ids[:-1] if reason is FinishReason.EOS else draft.ids
            for draft, reason in self._ended.values()
        ]
        return [*ended, *(draft.ids for draft in self._alive if draft is not None)]

    def _extended(self, rank: int, draft: Draft, log_probs: Floats, ids: Ints) -> Draft | None:
        """Extend one hypothesis; None where it has ended by that."""
        adjusted = self._adjusted(rank, draft, log_probs, ids)
        place = self._choose(rank, draft, adjusted, ids[rank])
        if place is None:
            # An alternative that there is not is none; whatever else is stuck ends as it stands.
            if rank == 0 or not self._branches(draft):
                self._ended[rank] = draft, FinishReason.MAX_TOKENS
            return None
        extended = draft.extended(
            int(ids[rank, place]), float(log_probs[rank, place]), float(adjusted[place])
        )
        if self._is_loop(extended):
            self._ended[rank] = extended, FinishReason.LOOP_GUARD
            return None
        if extended.ids[-1] == self._eos or len(extended.ids) >= self._search.max_tokens:
            self._ended[rank] = extended, self._reason(extended)
            return None
        return extended

    def _choose(self, rank: int, draft: Draft, adjusted: Doubles, ids: Ints) -> int | None:
        """Return the place of the token that a hypothesis goes on with, if there is one."""
        sampling = self._search.sampling
        if sampling is None:
            choice = rank if self._branches(draft) else 0
            places = best_places(adjusted, ids, choice + 1)
            return int(places[choice]) if len(places) > choice else None
        possible = np.flatnonzero(adjusted > -np.inf)
        if not len(possible):
            return None
        possible = possible[np.argsort(ids[possible])]
        uniform = self._uniforms[rank][len(draft.ids)]
        return int(possible[draw(adjusted[possible], ids[possible], sampling, uniform)])

    def _branches(self, draft: Draft) -> bool:
        """Tell whether each hypothesis takes another token after this draft, which all have."""
        return self._search.sampling is None and len(draft.ids) == len(self._search.prefix)

    def _prepare(self) -> None:
        sampling = self._search.sampling
        if sampling is not None:
            offered = [sampling.top_k] * len(self._alive)
        else:
            offered = [
                len(self._alive) if draft is not None and self._branches(draft) else 1
                for draft in self._alive
            ]
        self._look_ahead(self._alive, offered)
