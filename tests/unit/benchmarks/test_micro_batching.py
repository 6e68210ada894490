"""The rival server's batches."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

import pytest
from benchmarks.micro_batching import MicroBatcher, Pieces


class Decoder:
    """Repeats every piece, and holds until it is let go."""

    def __init__(self) -> None:
        self.batches: list[list[Pieces]] = []
        self.gate = threading.Event()
        self.gate.set()

    def __call__(self, batch: list[Pieces]) -> Sequence[Pieces]:
        self.batches.append(batch)
        assert self.gate.wait(30)
        if any("bad" in pieces for pieces in batch):
            raise ValueError("bad")
        return [[*pieces, *pieces] for pieces in batch]


@asynccontextmanager
async def batching(decoder: Decoder, *, size: int, wait: float):
    with ThreadPoolExecutor(1) as executor:
        batcher = MicroBatcher(decoder, executor, max_batch_size=size, wait_seconds=wait)
        task = asyncio.create_task(batcher.run())
        yield batcher
        task.cancel()


async def test_a_full_batch_waits_for_nobody_and_is_sorted_by_length():
    decoder = Decoder()
    async with batching(decoder, size=3, wait=60) as batcher:
        sentences = [["a"] * 3, ["b"], ["c"] * 2]
        answers = await asyncio.gather(*map(batcher.translate, sentences))
    assert answers == [["a"] * 6, ["b"] * 2, ["c"] * 4]
    assert decoder.batches == [[["b"], ["c"] * 2, ["a"] * 3]]


async def test_a_sentence_that_is_alone_is_decoded_when_it_has_waited():
    decoder = Decoder()
    async with batching(decoder, size=3, wait=0.01) as batcher:
        assert await batcher.translate(["a"]) == ["a", "a"]
    assert decoder.batches == [[["a"]]]


async def test_who_comes_while_a_batch_is_decoded_is_in_the_next():
    decoder = Decoder()
    decoder.gate.clear()
    async with batching(decoder, size=8, wait=0) as batcher:
        first = asyncio.create_task(batcher.translate(["a"]))
        while not decoder.batches:
            await asyncio.sleep(0.001)
        others = [asyncio.create_task(batcher.translate([letter])) for letter in "bc"]
        await asyncio.sleep(0.01)
        decoder.gate.set()
        await asyncio.gather(first, *others)
    assert decoder.batches == [[["a"]], [["b"], ["c"]]]


async def test_an_error_reaches_those_who_wait_and_the_next_batch_is_decoded():
    decoder = Decoder()
    async with batching(decoder, size=1, wait=0) as batcher:
        with pytest.raises(ValueError, match="bad"):
            await batcher.translate(["bad"])
        assert await batcher.translate(["good"]) == ["good", "good"]
