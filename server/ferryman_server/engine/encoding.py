"""Encoding: sources of like length, a chunk at a time, some of them before it is their turn.

A batch that is full takes a sentence or two whenever one is done. To encode one sentence takes
twice its share of a chunk of eight, so a chunk is filled up with sentences that still wait; they
board later, as they are. What the encoder returns for a sentence does not depend on its company.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple

from ferryman_server.engine.state import SOURCE_STEP
from ferryman_server.engine.storage import Block

if TYPE_CHECKING:
    from ferryman_server.engine.runtime import Runtime
    from ferryman_server.engine.ticket import Ticket

ENCODER_CHUNK: Final = 8
"""Sentences of like length that are encoded at a time: more would add more padding than speed."""
_HORIZON: Final = 4 * ENCODER_CHUNK
"""Sentences of the queue among which those of like length are looked for."""


class Encoded(NamedTuple):
    """What the encoder returned for one sentence."""

    outputs: Mapping[str, Block]
    """Of its whole chunk, by name of the state tensor, each (B, ...)."""
    row: int
    """Its own."""


def encode(runtime: Runtime, tickets: Iterable[Ticket]) -> None:
    """Encode what is not encoded yet, sentences of like length together."""
    waiting = [ticket for ticket in tickets if ticket.encoded is None]
    waiting.sort(key=lambda ticket: -ticket.source_tokens)
    for start in range(0, len(waiting), ENCODER_CHUNK):
        chunk = waiting[start : start + ENCODER_CHUNK]
        outputs = runtime.encode([ticket.job.source for ticket in chunk])
        for row, ticket in enumerate(chunk):
            ticket.encoded = Encoded(outputs, row)


def companions(boarders: Sequence[Ticket], waiting: Iterable[Ticket]) -> list[Ticket]:
    """Choose sentences that fill up the last chunk of those who board now.

    Chosen are those that pad it least: none that is longer than the longest boarder, padded, and
    none that is much shorter.

    Args:
        boarders: Who boards.
        waiting: The queue, those first whose turn is next. Whoever is chosen is marked, so that
            no other worker chooses it too.
    """
    fresh = [ticket.source_tokens for ticket in boarders if ticket.encoded is None]
    missing = -len(fresh) % ENCODER_CHUNK
    if not missing:
        return []
    longest = -(-max(fresh) // SOURCE_STEP) * SOURCE_STEP
    like = [
        ticket
        for ticket in islice(waiting, _HORIZON)
        if not ticket.is_chosen and 3 * longest <= 4 * ticket.source_tokens <= 4 * longest
    ]
    like.sort(key=lambda ticket: -ticket.source_tokens)
    for ticket in like[:missing]:
        ticket.is_chosen = True
    return like[:missing]
