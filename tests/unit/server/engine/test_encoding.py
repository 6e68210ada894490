"""Who is encoded along with whom, and that nobody is encoded twice."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from toy_model import ToyRuntime

from ferryman_server.engine import Job, Search
from ferryman_server.engine.batch import Batch
from ferryman_server.engine.encoding import ENCODER_CHUNK, companions, encode
from ferryman_server.engine.state import SOURCE_STEP
from ferryman_server.engine.ticket import Ticket

LENGTHS = st.lists(st.integers(2, 40), max_size=50)


def ticket(tokens: int) -> Ticket:
    return Ticket(Job(source=(5,) * (tokens - 1), search=Search(max_tokens=4)), 0.0)


def tickets(lengths) -> list[Ticket]:
    return [ticket(length) for length in lengths]


def padded(one: Ticket) -> int:
    return -(-one.source_tokens // SOURCE_STEP) * SOURCE_STEP


class Encoder:
    """Counts, and returns of each source its length."""

    def __init__(self) -> None:
        self.chunks: list[list[int]] = []

    def encode(self, sources):
        self.chunks.append([len(source) for source in sources])
        return {"length": np.array([[len(source)] for source in sources], np.float32)}


@given(boarding=LENGTHS, waiting=LENGTHS)
def test_companions_fill_up_the_last_chunk_and_pad_it_no_further(boarding, waiting):
    boarders, queue = tickets(boarding), tickets(waiting)
    chosen = companions(boarders, queue)
    assert len(set(chosen)) == len(chosen)
    assert set(chosen) <= set(queue)
    assert len(chosen) <= -len(boarders) % ENCODER_CHUNK
    if chosen:
        longest = max(padded(one) for one in boarders)
        assert all(3 * longest <= 4 * padded(one) <= 4 * longest for one in chosen)


@given(boarding=LENGTHS, waiting=LENGTHS)
def test_no_ticket_is_chosen_twice(boarding, waiting):
    boarders, queue = tickets(boarding), tickets(waiting)
    assert set(companions(boarders, queue)).isdisjoint(companions(boarders, queue))


def test_those_who_are_encoded_already_need_no_companions():
    boarder, queue = ticket(8), tickets([8] * 9)
    encode(Encoder(), [boarder])
    assert companions([boarder], queue) == []
    assert companions([], queue) == []


@given(LENGTHS)
def test_every_source_is_encoded_once_with_those_of_like_length(lengths):
    encoder, all_of_them = Encoder(), tickets(lengths)
    encode(encoder, all_of_them)
    encode(encoder, all_of_them)
    expected = sorted((length - 1 for length in lengths), reverse=True)
    assert [length for chunk in encoder.chunks for length in chunk] == expected
    assert all(len(chunk) == ENCODER_CHUNK for chunk in encoder.chunks[:-1])
    for one in all_of_them:
        assert one.encoded.outputs["length"][one.encoded.row] == len(one.job.source)


def test_a_companion_is_not_encoded_again_when_it_boards():
    chunks = []

    class Counting(ToyRuntime):
        def encode(self, sources):
            chunks.append(len(sources))
            return super().encode(sources)

    runtime = Counting()
    batch, (first, second) = Batch(runtime, max_rows=4), tickets([4, 4])
    batch.round([first], [second])
    assert chunks == [2]
    assert first.encoded is None, "what has boarded needs it no more"
    batch.round([second])
    assert chunks == [2]
