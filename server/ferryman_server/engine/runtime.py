"""What the engine asks of whatever computes the graphs.

Dimension key:
    B: sentences of a chunk    n: sources in the running batch    W: beam width
    k: candidates for each hypothesis    V: target vocabulary
    T: tokens of a target, its end included    S: tokens of a source, its end not included
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from ferryman_server.engine.candidate_lists import CandidateLists
from ferryman_server.engine.search import Floats, Ints
from ferryman_server.engine.search_options import Tail
from ferryman_server.engine.state import DecodeState
from ferryman_server.engine.storage import Block


class Decoder(Protocol):
    """The step graph over one state; a thread's own."""

    state: DecodeState
    input_ids: Ints
    """The last token of each hypothesis, in row order, (max_sources, W); written by the search."""
    lists: CandidateLists | None
    """What each source may choose from, where that is not everything; kept by the lane."""

    def step(self, candidates: int) -> tuple[Floats, Ints]:
        """Advance every hypothesis of the state by one token.

        Args:
            candidates: How many continuations of each to return, k.

        Returns:
            The log-probabilities of the k likeliest next tokens, best first and among equals the
            lower id first, and their ids, both (n, W, k). They are valid until the next step.
        """
        ...

    def step_full(self) -> Floats:
        """Advance every hypothesis of the state by one token, and keep nothing back.

        Returns:
            The log-probability of every next token, (n, W, V), valid until the next step. Only a
            runtime that `has_full_tail` is asked for it.
        """
        ...


class Runtime(Protocol):
    """A model ready to run; shared by threads."""

    bos: int
    """What every target starts with, before its first token."""
    eos: int
    """The token that ends a sentence."""
    vocabulary_size: int
    max_source_tokens: int
    """The longest source the model was made for, its end not counted."""
    max_target_tokens: int
    """The longest target the model was made for, its end not counted."""
    has_full_tail: bool
    """Whether decoders can `step_full`."""
    has_shortlist: bool
    """Whether there is `shortlisted`, and decoders that choose from lists."""
    has_attention: bool
    """Whether there is `attention`."""

    def encode(self, sources: Sequence[Sequence[int]]) -> Mapping[str, Block]:
        """Return what the encoder makes of sources, by name of the state tensor, each (B, ...).

        Args:
            sources: Token ids, without the end of sentence, which the runtime adds.
        """
        ...

    def shortlisted(self, source: Sequence[int]) -> Ints:
        """Return the tokens that a translation of a source may consist of.

        Args:
            source: Token ids, without the end of sentence.

        Returns:
            Ascending, each once; the end is among them, and what never comes is not. Only a runtime
            that `has_shortlist` is asked.
        """
        ...

    def attention(
        self, source: Sequence[int], targets: Sequence[Sequence[int]]
    ) -> Sequence[Floats]:
        """Return how much each token of some targets of one source attends to its tokens.

        Args:
            source: Token ids, without the end of sentence.
            targets: Token ids, with the end of sentence where it came.

        Returns:
            For each target the weights, (T, S). Only a runtime that `has_attention` is asked.
        """
        ...

    def decoder(self, *, width: int, max_sources: int, tail: Tail = Tail.FAST) -> Decoder:
        """Return a decoder over an empty state.

        Args:
            width: Beam width W of its sources.
            max_sources: The most sources it will hold.
            tail: What its steps will be asked for.
        """
        ...
