"""Sources that are searched by rules of their own, in a batch among those that follow none."""

from __future__ import annotations

from collections.abc import Iterable

from ferryman_server.engine.independent import IndependentSearch
from ferryman_server.engine.job import Job
from ferryman_server.engine.ruled import RuledSearch
from ferryman_server.engine.ruled_beam import RuledBeam


class RuledSlots:
    """The slots of a batch whose searches follow rules."""

    def __init__(self) -> None:
        self._searches: dict[int, RuledSearch] = {}

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._searches)

    def __contains__(self, slot: int) -> bool:
        """Whether a slot is one of them."""
        return slot in self._searches

    def __getitem__(self, slot: int) -> RuledSearch:
        """Return the search in a slot."""
        return self._searches[slot]

    @property
    def candidates(self) -> int:
        """How many candidates the next step must offer them."""
        return max((search.candidates for search in self._searches.values()), default=1)

    def admit(self, slot: int, job: Job, *, eos: int) -> None:
        """Start the search of a source in a slot.

        Args:
            slot: The slot.
            job: The source and its search.
            eos: The token that ends a sentence.
        """
        search = job.search
        side_by_side = search.sampling is not None or search.alternatives
        kind = IndependentSearch if side_by_side else RuledBeam
        self._searches[slot] = kind(search, job.source, eos=eos)

    def move(self, source: int, target: int) -> None:
        """Follow a source from one slot to another."""
        if source in self._searches:
            self._searches[target] = self._searches.pop(source)

    def release(self, slot: int) -> None:
        """Forget a source that has left."""
        self._searches.pop(slot, None)

    def items(self) -> Iterable[tuple[int, RuledSearch]]:
        """Return the slots and their searches."""
        return self._searches.items()

    def done(self) -> list[int]:
        """Return the slots whose search is done."""
        return [slot for slot, search in self._searches.items() if search.is_done]
