"""The decoding engine: sentences of token ids in, hypotheses out, by continuous batching."""

from ferryman_server.engine.engine import Engine
from ferryman_server.engine.errors import (
    DeadlineError,
    EngineError,
    EngineFailedError,
    EngineStoppedError,
    OverloadedError,
    Phase,
    QuotaError,
    UnavailableError,
)
from ferryman_server.engine.job import FinishReason, Hypothesis, Job, Listener, Priority, Result
from ferryman_server.engine.observer import Observer
from ferryman_server.engine.runtime import Runtime
from ferryman_server.engine.search_options import (
    LengthPenalty,
    Sampling,
    Search,
    Tail,
    normalise_by_length,
)
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
    "LengthPenalty",
    "Listener",
    "Observer",
    "OverloadedError",
    "Phase",
    "Priority",
    "QuotaError",
    "Result",
    "Runtime",
    "Sampling",
    "Search",
    "Statistics",
    "Tail",
    "UnavailableError",
    "normalise_by_length",
]
