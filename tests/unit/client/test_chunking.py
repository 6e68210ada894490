"""How texts are divided into requests."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ferryman import InputTooLongError, Limits
from ferryman.chunking import ChunkSize
from ferryman.v1.translation_service_pb2 import TranslateTextRequest

SIZES = st.integers(1, 50)


@given(texts=st.lists(st.text(max_size=30), max_size=60), most=SIZES, size=SIZES)
def test_chunks_hold_every_text_once_and_in_order(texts, most, size):
    chunks = list(ChunkSize(texts=most, bytes=size).chunks(texts))

    assert [text for chunk in chunks for text in chunk.texts] == texts
    assert [chunk.start for chunk in chunks] == [
        0,
        *itertools.accumulate(len(chunk.texts) for chunk in chunks[:-1]),
    ][: len(chunks)]


@given(texts=st.lists(st.text(max_size=30), min_size=1, max_size=60), most=SIZES, size=SIZES)
def test_chunks_are_as_large_as_allowed_and_no_larger(texts, most, size):
    allowed = ChunkSize(texts=most, bytes=size)

    chunks = list(allowed.chunks(texts))

    def fits(texts):
        message = TranslateTextRequest(contents=texts)
        return len(texts) <= most and (message.ByteSize() <= size or len(texts) == 1)

    assert all(fits(chunk.texts) for chunk in chunks)
    for chunk, following in itertools.pairwise(chunks):
        room = size - sum(len(text.encode()) + 6 for text in chunk.texts)
        assert len(chunk.texts) == most or len(following.texts[0].encode()) + 6 > room


def test_texts_are_taken_one_ahead_only():
    source = iter(["a"] * 10)
    chunks = ChunkSize(texts=3).chunks(source)

    next(chunks)

    assert len(list(source)) == 6


def test_limits_of_the_server_bound_the_size():
    assert ChunkSize.below(Limits()).texts == ChunkSize().texts
    assert ChunkSize.below(Limits(max_contents=5)).texts == 5
    assert ChunkSize.below(Limits(max_contents=10_000)).texts == ChunkSize().texts
    assert ChunkSize.below(Limits(max_request_bytes=10_000)).bytes < 10_000


def test_a_text_that_fits_no_request_is_named():
    size = ChunkSize.below(Limits(max_request_bytes=8192))

    with pytest.raises(InputTooLongError, match=r"contents\[2\] takes 5006 bytes"):
        list(size.chunks(["a", "b", "x" * 5000]))


def test_length_is_counted_in_bytes_not_in_characters():
    size = ChunkSize.below(Limits(max_request_bytes=8192))

    assert list(size.chunks(["x" * 4000]))
    with pytest.raises(InputTooLongError):
        list(size.chunks(["é" * 4000]))
