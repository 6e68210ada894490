"""Jobs handed to an engine, and its errors as those of the call that waits for them."""

from __future__ import annotations

import asyncio
import functools
import re
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from typing import Final

from ferryman_server.engine import (
    DeadlineError,
    EngineError,
    EngineFailedError,
    EngineStoppedError,
    Job,
    OverloadedError,
    Phase,
    QuotaError,
    Result,
    UnavailableError,
)
from ferryman_server.errors import (
    DeadlineExceededError,
    DeviceMemoryError,
    Fault,
    FeatureUnavailableError,
    QueueFullError,
    QuotaExceededError,
    ServerDrainingError,
    ServiceError,
)
from ferryman_server.live_text import LiveTexts
from ferryman_server.model import Model

_PATHS: Final[Mapping[str, str]] = {
    "coverage_penalty": "decoding.coverage_penalty",
    "forced": "target_prefixes",
    "prefix": "target_prefixes",
    "repetition_penalty": "decoding.repetition_penalty",
    "sampling": "decoding.sampling",
    "shortlist": "decoding.use_shortlist",
    "suppressed": "decoding.suppress",
}
"""Which field of a request asks for an option that takes a graph of its own."""

_NO_MEMORY: Final = re.compile(r"out of memory|failed to allocate memory|bad_alloc", re.IGNORECASE)
"""What ONNX Runtime and CUDA say; their exceptions have no class of their own for it."""


async def decode(
    model: Model, jobs: Sequence[Job], deadline: float | None, live: LiveTexts | None
) -> list[Result]:
    """Run jobs through the engine of a model, all in one batch as far as it has room.

    Whatever ends this early (an error of one job, the caller going away) cancels all its jobs.

    Args:
        model: The model.
        jobs: What to decode.
        deadline: On `time.monotonic`'s clock.
        live: Told of how each job ends; None where nobody listens.

    Raises:
        ServiceError: What the caller should know.
        EngineFailedError: Decoding failed; the request is not to blame.
    """
    if deadline is not None and time.monotonic() >= deadline:
        raise DeadlineExceededError("QUEUE_DEADLINE")
    if not jobs:
        return []
    futures: Sequence[Future[Result]] = ()
    try:
        futures = model.engine.submit(jobs)
        if live is not None:
            for number, future in enumerate(futures):
                future.add_done_callback(functools.partial(live.end, number))
        return await asyncio.gather(*map(asyncio.wrap_future, futures))
    except EngineError as error:
        told = _for_the_caller(error, jobs[0].client)
        if told is None:
            raise
        raise told from error
    finally:
        for future in futures:
            future.cancel()


def _for_the_caller(error: EngineError, client: str) -> ServiceError | None:
    """Return what a caller is told of an engine's error; None where it is no business of theirs."""
    told: ServiceError | None = None
    match error:
        case QuotaError():
            told = QuotaExceededError(
                f"{client} has its share of the queue; ask again in {error.retry_after:.1f} s",
                subject=f"client:{client}",
                retry_after=error.retry_after,
            )
        case OverloadedError():
            told = QueueFullError(
                f"the queue is full; ask again in {error.retry_after:.1f} s",
                retry_after=error.retry_after,
            )
        case EngineStoppedError():
            told = ServerDrainingError()
        case DeadlineError():
            waited = error.phase is Phase.QUEUED
            told = DeadlineExceededError("QUEUE_DEADLINE" if waited else "DECODE_DEADLINE")
        case UnavailableError():
            told = FeatureUnavailableError(
                [Fault(_PATHS[option], str(error)) for option in error.options]
            )
        case EngineFailedError() if _is_lack_of_memory(error.__cause__):
            told = DeviceMemoryError()
    return told


def _is_lack_of_memory(cause: BaseException | None) -> bool:
    return isinstance(cause, MemoryError) or bool(_NO_MEMORY.search(str(cause or "")))
