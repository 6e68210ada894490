"""Micro-batching: requests wait a moment for company, and are decoded together.

This is how an engine without continuous batching is served: whoever comes while a batch is decoded
waits for its end, and the whole batch waits for its longest sentence.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor

Pieces = Sequence[str]
Decode = Callable[[list[Pieces]], Sequence[Pieces]]


class MicroBatcher:
    """Collects sentences until a batch is full, or the first of them has waited long enough.

    Args:
        decode: Decodes a batch; called in the executor, one batch at a time.
        executor: Where to.
        max_batch_size: Sentences of a batch.
        wait_seconds: How long the first sentence of a batch waits for others, once the batch
            before it is done.
    """

    def __init__(
        self, decode: Decode, executor: Executor, *, max_batch_size: int, wait_seconds: float
    ) -> None:
        self._decode = decode
        self._executor = executor
        self._max_batch_size = max_batch_size
        self._wait_seconds = wait_seconds
        self._waiting: asyncio.Queue[tuple[Pieces, asyncio.Future[Pieces]]] = asyncio.Queue()

    async def translate(self, pieces: Pieces) -> Pieces:
        """Translate one sentence in a batch."""
        answer: asyncio.Future[Pieces] = asyncio.get_running_loop().create_future()
        self._waiting.put_nowait((pieces, answer))
        return await answer

    async def run(self) -> None:
        """Decode batches until cancelled."""
        while True:
            batch = await self._collect()
            # By length, as padding is least then; CTranslate2 would do it too.
            batch.sort(key=lambda waiting: len(waiting[0]))
            sentences = [pieces for pieces, _ in batch]
            loop = asyncio.get_running_loop()
            try:
                found = await loop.run_in_executor(self._executor, self._decode, sentences)
            except Exception as error:  # those who wait are told, whatever it is
                for _, answer in batch:
                    if not answer.done():
                        answer.set_exception(error)
                continue
            for (_, answer), translation in zip(batch, found, strict=True):
                if not answer.done():
                    answer.set_result(translation)

    async def _collect(self) -> list[tuple[Pieces, asyncio.Future[Pieces]]]:
        batch = [await self._waiting.get()]
        end = asyncio.get_running_loop().time() + self._wait_seconds
        while len(batch) < self._max_batch_size:
            try:
                # What waits already needs no waiting for.
                batch.append(self._waiting.get_nowait())
            except asyncio.QueueEmpty:
                left = end - asyncio.get_running_loop().time()
                if left <= 0:
                    break
                try:
                    batch.append(await asyncio.wait_for(self._waiting.get(), left))
                except TimeoutError:
                    break
        return batch
