"""Scoring beside decoding: one thread, a few sentences at a time, and only what fits the queue."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from ferryman_server.errors import DeadlineExceededError, QueueFullError
from ferryman_server.model import Scorer
from ferryman_server.runtime.scored import Scored

Ids = Sequence[int]
_CHUNK: Final = 8
"""Pairs of like length that are scored in one run: whoever comes next waits for no more."""
_NICENESS: Final = 10
"""Of the thread: where decoding wants all cores, it gets nearly all of them."""
_UNKNOWN_WAIT: Final = 1.0


class ScoringQueue:
    """Scores pairs of sentences off the event loop. Belongs to one event loop.

    Args:
        max_tokens: The most tokens, of sources and targets, that may wait.
    """

    def __init__(self, max_tokens: int) -> None:
        self._max_tokens = max_tokens
        self._waiting_tokens = 0
        self._seconds_per_token = 0.0
        self._executor = ThreadPoolExecutor(1, "score", initializer=_yield_to_decoding)

    async def score(
        self, scorer: Scorer, pairs: Sequence[tuple[Ids, Ids]], deadline: float | None
    ) -> list[Scored]:
        """Return what a model makes of translations, in their order.

        Args:
            scorer: The model's.
            pairs: Tokens of sources and of targets, without their ends.
            deadline: On `time.monotonic`'s clock.

        Raises:
            QueueFullError: Too much waits already.
            DeadlineExceededError: The deadline passed.
        """
        tokens = sum(len(source) + len(target) + 2 for source, target in pairs)
        if self._waiting_tokens and self._waiting_tokens + tokens > self._max_tokens:
            wait = self._waiting_tokens * self._seconds_per_token or _UNKNOWN_WAIT
            raise QueueFullError(
                f"too much waits to be scored; ask again in {wait:.1f} s", retry_after=wait
            )
        self._waiting_tokens += tokens
        try:
            return await self._in_chunks(scorer, pairs, deadline)
        finally:
            self._waiting_tokens -= tokens

    def close(self) -> None:
        """Stop; what waits is not scored any more."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    async def _in_chunks(
        self, scorer: Scorer, pairs: Sequence[tuple[Ids, Ids]], deadline: float | None
    ) -> list[Scored]:
        by_length = sorted(range(len(pairs)), key=lambda i: sum(map(len, pairs[i])))
        found: dict[int, Scored] = {}
        for start in range(0, len(by_length), _CHUNK):
            if deadline is not None and time.monotonic() >= deadline:
                raise DeadlineExceededError("DECODE_DEADLINE" if start else "QUEUE_DEADLINE")
            chunk = by_length[start : start + _CHUNK]
            sources, targets = zip(*(pairs[i] for i in chunk), strict=True)
            scored = await asyncio.get_running_loop().run_in_executor(
                self._executor, self._score, scorer, sources, targets
            )
            found.update(zip(chunk, scored, strict=True))
        return [found[i] for i in range(len(pairs))]

    def _score(
        self, scorer: Scorer, sources: Sequence[Ids], targets: Sequence[Ids]
    ) -> Sequence[Scored]:
        began = time.monotonic()
        scored = scorer.score(sources, targets)
        tokens = sum(map(len, sources)) + sum(map(len, targets)) + 2 * len(sources)
        measured = (time.monotonic() - began) / tokens
        self._seconds_per_token += 0.2 * (measured - self._seconds_per_token)
        return scored


def _yield_to_decoding() -> None:
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
