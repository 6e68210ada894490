"""Beam search by rules: forbidden and forced tokens, penalties, groups that avoid each other.

Without any rule it is, to the last bit, the beam search that `beam` does for a whole batch at once.

Dimension key:
    W: beam width    w: width of a group
    k: candidates for each hypothesis; all V with the full tail
"""

from __future__ import annotations

from bisect import insort
from collections import Counter
from collections.abc import Callable

import numpy as np

from ferryman_server.engine.draft import Draft
from ferryman_server.engine.job import FinishReason, Hypothesis
from ferryman_server.engine.ruled import Extension, RuledSearch
from ferryman_server.engine.search import (
    Candidates,
    Doubles,
    Floats,
    Ints,
    best_places,
    extend_beams,
    is_done,
)
from ferryman_server.engine.search_options import Search


class RuledBeam(RuledSearch):
    """A beam of one source, in one group or several.

    Args:
        search: How to look for the target.
        source: The source.
        eos: The token that ends a sentence.
    """

    def __init__(self, search: Search, source: tuple[int, ...], *, eos: int) -> None:
        super().__init__(search, source, eos=eos)
        self._groups = [
            _Group(search.beam_size // search.groups, search) for _ in range(search.groups)
        ]
        self._prepare()

    def extend(self, log_probs: Floats, ids: Ints) -> Extension:
        """Extend every hypothesis by one token; see `RuledSearch.extend`."""
        chosen: Counter[int] = Counter()
        extension = Extension([], [])
        for number, group in enumerate(self._groups):
            first = number * group.width
            best = self._best_extensions(group, first, log_probs, ids, chosen)
            group.advance(best, self._eos, self._is_loop)
            chosen.update(draft.ids[-1] for draft in group.alive if draft is not None)
            extension.ids.extend(0 if d is None else d.ids[-1] for d in group.alive)
            extension.parents.extend(first + parent for parent in group.parents)
        self._prepare()
        self.is_done = all(group.is_done for group in self._groups)
        return extension

    def hypotheses(self) -> list[Hypothesis]:
        """Return the finished hypotheses of all groups, best first, then those cut in a loop."""
        search = self._search
        ended = [draft for group in self._groups for draft in group.finished]
        looping = [draft for group in self._groups for draft in group.looping]
        ended.sort(key=lambda draft: -draft.score(search))
        looping.sort(key=lambda draft: -draft.score(search))
        return [
            *(draft.hypothesis(search, self._reason(draft)) for draft in ended),
            *(draft.hypothesis(search, FinishReason.LOOP_GUARD) for draft in looping),
        ]

    def possible_answers(self) -> list[tuple[int, ...]]:
        """Return what the best answer can be or grow from; see `RuledSearch.possible_answers`."""
        eos = self._eos
        ended = [draft for group in self._groups for draft in group.finished]
        under_way = [draft for group in self._groups for draft in group.alive if draft is not None]
        looping = [draft for group in self._groups for draft in group.looping]
        # What was cut in a loop is an answer only where nothing else is.
        drafts = [*under_way, *(ended or looping)]
        return [draft.ids[:-1] if draft.ids[-1:] == (eos,) else draft.ids for draft in drafts]

    def _prepare(self) -> None:
        drafts = [draft for group in self._groups for draft in group.alive]
        width = self._groups[0].width
        # Every hypothesis needs one more than the width, since one may be the end; and as many
        # more as there may be tokens that earlier groups have chosen.
        needed = width + 1 + (len(drafts) - width if self._search.diversity else 0)
        self._look_ahead(drafts, [needed] * len(drafts))

    def _best_extensions(
        self, group: _Group, first: int, log_probs: Floats, ids: Ints, chosen: Counter[int]
    ) -> _Offers:
        """Return the best that each hypothesis of a group can go on with.

        Args:
            group: The group.
            first: The rank of its first hypothesis in the whole beam.
            log_probs: As for `extend`.
            ids: As for `extend`.
            chosen: How often the groups before it have chosen a token at this step.
        """
        offers = _Offers(group.width)
        avoided = np.array(sorted(chosen), np.int64)
        losses = self._search.diversity * np.array([chosen[token] for token in sorted(chosen)])
        for member, draft in enumerate(group.alive):
            if draft is None:
                continue
            rank = first + member
            adjusted = self._adjusted(rank, draft, log_probs, ids)
            if self._search.diversity and len(avoided):
                same = ids[rank][:, None] == avoided  # (k, tokens avoided)
                adjusted -= same @ losses
            places = best_places(adjusted, ids[rank], group.width + 1)
            offers.put(member, adjusted[places], log_probs[rank, places], ids[rank, places])
        return offers


class _Offers:
    """What each hypothesis of a group can go on with, best first."""

    def __init__(self, width: int) -> None:
        shape = width, width + 1
        self.adjusted: Doubles = np.full(shape, -np.inf)
        self.log_probs: Doubles = np.full(shape, -np.inf)
        self.ids: Ints = np.full(shape, -1)

    def put(self, member: int, adjusted: Doubles, log_probs: Floats, ids: Ints) -> None:
        """Set the offers of one hypothesis."""
        count = len(ids)
        self.adjusted[member, :count] = adjusted
        self.log_probs[member, :count] = log_probs
        self.ids[member, :count] = ids


class _Group:
    """A beam on its own: w hypotheses, best first, and those that have ended.

    Attributes:
        alive: Hypotheses that go on, best first; None where there is none.
        parents: Which of those, one step ago, each extends; what is None has what nobody extends.
        finished: Those that ended or reached the limit, best first.
        looping: Those cut in a loop.
    """

    def __init__(self, width: int, search: Search) -> None:
        self.width = width
        self.is_done = False
        self.alive: list[Draft | None] = [Draft(), *[None] * (width - 1)]
        self.parents = list(range(width))
        self.finished: list[Draft] = []
        self.looping: list[Draft] = []
        self._search = search
        self._enough = max(1, round(width * search.patience))
        self._length = 0

    def advance(self, offers: _Offers, eos: int, is_loop: Callable[[Draft], bool]) -> None:
        """Extend every hypothesis by one token, keep the best, and see what ends."""
        before = [draft for draft in self.alive if draft is not None]
        self._length += 1
        if self.is_done or not before:
            return
        scores = np.array([[-np.inf if d is None else d.total for d in self.alive]])
        going, ending = extend_beams(scores, offers.adjusted[None], offers.ids[None], None, eos=eos)
        for draft, _ in self._drafts(ending, offers):
            if draft is not None:
                self._keep(draft)
        extended = self._drafts(going, offers)
        for place, (draft, _) in enumerate(extended):
            if draft is not None and is_loop(draft):
                self.looping.append(draft)
                extended[place] = None, 0
        self._finish(before, [draft for draft, _ in extended if draft is not None])
        self._take_rows(extended)

    def _drafts(self, candidates: Candidates, offers: _Offers) -> list[tuple[Draft | None, int]]:
        """Return candidates as drafts, each with its parent; None where there is none."""
        drafts: list[tuple[Draft | None, int]] = []
        totals, parents, ids, adjusted = (field[0].tolist() for field in candidates)
        for total, parent, token, change in zip(totals, parents, ids, adjusted, strict=True):
            draft = self.alive[parent]
            if total == -np.inf or draft is None:
                drafts.append((None, 0))
                continue
            place = offers.ids[parent].tolist().index(token)
            log_prob = float(offers.log_probs[parent, place])
            drafts.append((draft.extended(token, log_prob, change), parent))
        return drafts

    def _finish(self, before: list[Draft], alive: list[Draft]) -> None:
        search = self._search
        if self._length >= search.max_tokens:
            for draft in alive:
                self._keep(draft)
            self.is_done = True
        elif not alive:
            if not self.finished and not self.looping:
                # No token was allowed: the answer is what there was before.
                for draft in before:
                    self._keep(draft)
            self.is_done = True
        elif self._has_enough:
            self.is_done = True
        else:
            scores = [draft.score(search) for draft in self.finished]
            self.is_done = is_done(scores, alive[0].score(search), enough=self._enough)

    @property
    def _has_enough(self) -> bool:
        """Whether what has ended is enough, whatever the others are worth."""
        ended = len(self.finished) + len(self.looping)
        return ended >= self._enough and (self._search.early_stopping or bool(self.looping))

    def _take_rows(self, extended: list[tuple[Draft | None, int]]) -> None:
        """Let those that go on take the state of their parents, and the others what is left."""
        if self.is_done:
            extended = [(None, 0)] * self.width
        taken = {parent for draft, parent in extended if draft is not None}
        free = iter([row for row in range(self.width) if row not in taken])
        self.alive = [draft for draft, _ in extended]
        self.parents = [
            parent if draft is not None else next(free, parent) for draft, parent in extended
        ]

    def _keep(self, draft: Draft) -> None:
        """Add a hypothesis that has ended, unless enough are better."""
        insort(self.finished, draft, key=lambda kept: -kept.score(self._search))
        del self.finished[self._enough :]
