"""Scoring beside decoding: one thread, a few sentences at a time, and only what fits the queue."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import os
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from ferryman_server.engine import Priority
from ferryman_server.errors import DeadlineExceededError, QueueFullError
from ferryman_server.model import Scorer
from ferryman_server.runtime.scored import Scored

Ids = Sequence[int]
_CHUNK: Final = 8
"""Pairs of like length that are scored in one run: whoever comes next waits for no more."""
_NICENESS: Final = 10
"""Of the thread: where decoding wants all cores, it gets nearly all of them."""
_UNKNOWN_WAIT: Final = 1.0
_AGEING_SECONDS: Final = 10.0
"""What one priority is worth: so much later may one come and still be before the next lower one."""


class _Turns:
    """One at a time: the earliest arrival first, where each priority is worth some seconds."""

    def __init__(self) -> None:
        self._is_taken = False
        self._waiting: list[tuple[float, int, asyncio.Future[None]]] = []
        self._numbers = itertools.count()

    async def take(self, arrived: float, priority: Priority) -> None:
        """Wait for a turn, which must be given back."""
        if not self._is_taken:
            self._is_taken = True
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        place = arrived - priority * _AGEING_SECONDS
        heapq.heappush(self._waiting, (place, next(self._numbers), turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.give_back()
            raise

    def give_back(self) -> None:
        """Let the next one have its turn."""
        while self._waiting:
            _, _, turn = heapq.heappop(self._waiting)
            if not turn.done():
                turn.set_result(None)
                return
        self._is_taken = False


class ScoringQueue:
    """Scores pairs of sentences off the event loop. Belongs to one event loop.

    Args:
        max_tokens: The most tokens, of sources and targets, that may wait.
    """

    def __init__(self, max_tokens: int) -> None:
        self._max_tokens = max_tokens
        self._waiting_tokens = 0
        self._seconds_per_token = 0.0
        self._turns = _Turns()
        self._executor = ThreadPoolExecutor(1, "score", initializer=_yield_to_decoding)

    async def score(
        self,
        scorer: Scorer,
        pairs: Sequence[tuple[Ids, Ids]],
        deadline: float | None,
        priority: Priority = Priority.NORMAL,
    ) -> list[Scored]:
        """Return what a model makes of translations, in their order.

        Args:
            scorer: The model's.
            pairs: Tokens of sources and of targets, without their ends.
            deadline: On `time.monotonic`'s clock.
            priority: Whom to score first. Who waits rises by one after 10 seconds.

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
            return await self._in_chunks(scorer, pairs, deadline, priority)
        finally:
            self._waiting_tokens -= tokens

    def close(self) -> None:
        """Stop; what waits is not scored any more."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    async def _in_chunks(
        self,
        scorer: Scorer,
        pairs: Sequence[tuple[Ids, Ids]],
        deadline: float | None,
        priority: Priority,
    ) -> list[Scored]:
        arrived = time.monotonic()
        by_length = sorted(range(len(pairs)), key=lambda i: sum(map(len, pairs[i])))
        found: dict[int, Scored] = {}
        for start in range(0, len(by_length), _CHUNK):
            chunk = by_length[start : start + _CHUNK]
            sources, targets = zip(*(pairs[i] for i in chunk), strict=True)
            _check_deadline(deadline, has_begun=start > 0)
            await self._turns.take(arrived, priority)
            try:
                _check_deadline(deadline, has_begun=start > 0)
                scored = await asyncio.get_running_loop().run_in_executor(
                    self._executor, self._score, scorer, sources, targets
                )
            finally:
                self._turns.give_back()
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


def _check_deadline(deadline: float | None, *, has_begun: bool) -> None:
    if deadline is not None and time.monotonic() >= deadline:
        raise DeadlineExceededError("DECODE_DEADLINE" if has_begun else "QUEUE_DEADLINE")


def _yield_to_decoding() -> None:
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
