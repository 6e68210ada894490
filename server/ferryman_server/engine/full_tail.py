"""Searches that need the whole next-token distribution, over a running batch of any beam width.

Dimension key:
    N: slots    n: sources    W: beam width    V: target vocabulary
"""

from __future__ import annotations

import numpy as np

from ferryman_server.engine.job import Hypothesis, Job
from ferryman_server.engine.ruled_slots import RuledSlots
from ferryman_server.engine.runtime import Decoder
from ferryman_server.engine.search import Ints


class FullTailSearch:
    """The hypotheses of each source, every one of which is searched by rules.

    Args:
        input_ids: Where to write the token that each row goes on from, (N, W).
        vocabulary_size: How many tokens there are to choose from.
        bos: What every target starts with.
        eos: The token that ends a sentence.
    """

    def __init__(self, input_ids: Ints, *, vocabulary_size: int, bos: int, eos: int) -> None:
        max_sources, self._width = input_ids.shape
        self._input_ids = input_ids
        self._bos = bos
        self._eos = eos
        self._rows = np.zeros_like(input_ids)
        self._slots = np.arange(max_sources)[:, None]
        self._vocabulary: Ints = np.broadcast_to(
            np.arange(vocabulary_size), (self._width, vocabulary_size)
        )
        self._ruled = RuledSlots()

    def admit(self, slot: int, job: Job) -> None:
        """Start the source in a slot."""
        self._rows[slot] = np.arange(self._width)
        self._input_ids[slot] = self._bos
        self._ruled.admit(slot, job, eos=self._eos)

    def step(self, decoder: Decoder) -> list[int]:
        """Extend every hypothesis by one token; return the slots that are done."""
        log_probs = decoder.step_full()  # (n, W, V)
        n = len(log_probs)
        slots, rows = self._slots[:n], self._rows[:n]
        tokens, parents = np.zeros_like(rows), rows.copy()
        for slot, search in self._ruled.items():
            own = rows[slot]
            extension = search.extend(log_probs[slot, own], self._vocabulary)
            tokens[slot], parents[slot] = extension.ids, own[extension.parents]
        done = self._ruled.done()
        # What is done needs no state any more, so none of it is copied.
        parents[done] = np.arange(self._width)
        rows[...] = decoder.state.reorder(parents)
        self._input_ids[slots, rows] = tokens
        return done

    def hypotheses(self, slot: int, length: int) -> list[Hypothesis]:  # noqa: ARG002 - as greedy
        """Return the finished hypotheses of a slot that is done, best first; loops come last."""
        return self._ruled[slot].hypotheses()

    def settled(self, slot: int, length: int) -> tuple[int, ...]:  # noqa: ARG002 - as greedy
        """Return the first tokens of the best answer of a slot that goes on, as far as certain."""
        return self._ruled[slot].settled()

    def move(self, source: int, target: int) -> None:
        """Follow a source from one slot to another."""
        for field in (self._rows, self._input_ids):
            field[target] = field[source]
        self._ruled.move(source, target)

    def release(self, slot: int) -> None:
        """Forget a source that has left."""
        self._ruled.release(slot)
