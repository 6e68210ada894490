"""The two ways to load a server, and what is written down of each call.

In a closed loop so many callers each wait for their answer before they ask again: the server sets
the pace. In an open loop calls come at a rate, whatever the server does, as they do from people. A
call's time then counts from the moment at which it was to be sent, not from the one at which a busy
client found time to send it (the omission that Gil Tene calls coordinated).
"""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

_MOST_ON_THE_WAY: Final = 10_000
"""Calls of an open loop without an answer: beyond it the client would measure itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a call came to, in the words of gRPC."""

    code: str
    """Name of the status, as ``OK``."""
    tokens: int = 0
    """Tokens of the translations."""
    first_token: float | None = None
    """When the first token came, on `time.perf_counter`'s clock; None where that is not seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One call of a loop; times in seconds."""

    started: float
    """Since the loop began."""
    seconds: float
    """To the status."""
    first_token_seconds: float | None
    code: str
    tokens: int


Ask = Callable[[str], Awaitable[Answer]]
"""Has one text translated. It raises nothing but what ends the whole loop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """How hard a server is loaded."""

    concurrency: int | None = None
    """Callers of a closed loop; None for an open one."""
    rate: float | None = None
    """Calls a second of an open loop; None for a closed one."""

    def __str__(self) -> str:
        """Return it in words."""
        if self.rate is not None:
            return f"{self.rate:g} calls/s"
        return f"{self.concurrency} callers"


async def run_loop(
    ask: Ask, texts: Sequence[str], level: Level, *, seconds: float, warm_up: float, seed: int
) -> list[Attempt]:
    """Load a server for a while.

    Args:
        ask: Calls it.
        texts: What to have translated, over and over.
        level: How hard.
        seconds: For how long.
        warm_up: Seconds before that in which nothing is written down.
        seed: Of the arrivals of an open loop, which are random (Poisson).
    """
    loop = _Loop(ask, itertools.cycle(texts), start=time.perf_counter() + warm_up)
    if level.rate is not None:
        await loop.open(level.rate, warm_up + seconds, random.Random(seed))
    else:
        await loop.closed(level.concurrency or 1, warm_up + seconds)
    return loop.attempts


class _Loop:
    def __init__(self, ask: Ask, texts: Iterator[str], *, start: float) -> None:
        self._ask = ask
        self._texts = texts
        self._start = start
        self.attempts: list[Attempt] = []

    async def closed(self, callers: int, seconds: float) -> None:
        end = time.perf_counter() + seconds

        async def caller() -> None:
            while (now := time.perf_counter()) < end:
                await self._attempt(now)

        async with asyncio.TaskGroup() as group:
            for _ in range(callers):
                group.create_task(caller())

    async def open(self, rate: float, seconds: float, rng: random.Random) -> None:
        begin = due = time.perf_counter()
        on_the_way: set[asyncio.Task[None]] = set()
        async with asyncio.TaskGroup() as group:
            while (due := due + rng.expovariate(rate)) < begin + seconds:
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
                if len(on_the_way) >= _MOST_ON_THE_WAY:
                    self._write(due, Answer(code="NOT_SENT"))
                    continue
                task = group.create_task(self._attempt(due))
                on_the_way.add(task)
                task.add_done_callback(on_the_way.discard)

    async def _attempt(self, due: float) -> None:
        self._write(due, await self._ask(next(self._texts)))

    def _write(self, due: float, answer: Answer) -> None:
        if due < self._start:
            return
        first = answer.first_token
        self.attempts.append(
            Attempt(
                started=due - self._start,
                seconds=time.perf_counter() - due,
                first_token_seconds=None if first is None else first - due,
                code=answer.code,
                tokens=answer.tokens,
            )
        )
