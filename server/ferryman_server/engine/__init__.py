"""The decoding engine: sentences of token ids in, hypotheses out, by continuous batching."""

from ferryman_server.engine.engine import Engine
from ferryman_server.engine.errors import (
    DeadlineError,
    EngineError,
    EngineFailedError,
    EngineStoppedError,
    OverloadedError,
)
from ferryman_server.engine.job import FinishReason, Hypothesis, Job, Result, Search
from ferryman_server.engine.statistics import Statistics

__all__ = [
    "DeadlineError",
    "Engine",
    "EngineError",
    "EngineFailedError",
    "EngineStoppedError",
    "FinishReason",
    "Hypothesis",
    "Job",
    "OverloadedError",
    "Result",
    "Search",
    "Statistics",
]
