"""Metrics for Prometheus: of calls, of every model's engine, and of the process.

Counters of calls are written as calls come and go; those of engines are read from
`Engine.statistics` when somebody asks, so that they agree with each other at that moment:
``admitted = completed + failed + cancelled + expired + queued + running``, always.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    disable_created_metrics,
)
from prometheus_client.gc_collector import GCCollector
from prometheus_client.process_collector import ProcessCollector

from ferryman_server.description import ServerDescription
from ferryman_server.engine import Observer, Result, Statistics
from ferryman_server.metrics_of_engines import EngineCollector

_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
"""Upper bounds of buckets for whatever a caller waits for."""
_STEP_SECONDS: Final = (
    *(0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.02),
    *(0.03, 0.05, 0.075, 0.1, 0.2, 0.5, 1),
)
_TOKENS: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)


# A second series for each counter, which tells what its falling to 0 tells as well.
disable_created_metrics()  # type: ignore[no-untyped-call]


class Metrics:
    """All metrics of one server, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry(auto_describe=True)
        ProcessCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        self.calls = _CallMetrics(self.registry)
        self._server = Info("ferryman_server", "What the server is", registry=self.registry)
        self._device = Info("ferryman_device", "What the models run on", registry=self.registry)
        self._workers = Gauge("ferryman_workers", "Engine workers", registry=self.registry)
        self._max_rows = Gauge(
            "ferryman_max_rows", "Rows of a worker's running batch", registry=self.registry
        )
        self._engines = EngineCollector()
        self.registry.register(self._engines)
        self._times = _EngineTimes(self.registry)

    def describe(self, description: ServerDescription, *, max_rows: int) -> None:
        """Publish what the server is.

        Args:
            description: Version and device.
            max_rows: Hypotheses in the running batch of each worker.
        """
        device = description.device
        self._server.info({"version": description.version})
        self._device.info(
            {
                "provider": device.provider,
                "runtime": device.runtime,
                "runtime_version": device.runtime_version,
            }
        )
        self._workers.set(device.workers)
        self._max_rows.set(max_rows)

    def observer(self, model: str) -> Observer:
        """Return who watches the engine of a model, ``name@version``."""
        return _EngineObserver(self._times, model)

    def add_engine(
        self, model: str, statistics: Callable[[], Statistics], facts: dict[str, str]
    ) -> None:
        """Publish the counters of a model's engine, in place of those of an earlier one.

        Args:
            model: ``name@version``.
            statistics: Reads the counters; called from the thread of the metrics endpoint.
            facts: About the model, for ``ferryman_model_info``.
        """
        self._engines.add(model, statistics, facts)

    def remove_engine(self, model: str) -> None:
        """Publish the counters of a model no more."""
        self._engines.remove(model)


class _CallMetrics:
    """Counters of calls; written by `CallLog` only."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.started = Counter(
            "ferryman_calls_started", "Calls that have arrived", ["method"], registry=registry
        )
        self.ended = Counter(
            "ferryman_calls", "Calls that have ended", ["method", "code"], registry=registry
        )
        self.under_way = Gauge(
            "ferryman_calls_under_way", "Calls without an answer yet", ["method"], registry=registry
        )
        self.seconds = Histogram(
            "ferryman_call_duration_seconds",
            "From the arrival of a call to its status",
            ["method"],
            buckets=_SECONDS,
            registry=registry,
        )
        self.refusals = Counter(
            "ferryman_refusals", "Calls that failed, by reason", ["reason"], registry=registry
        )
        self.texts = Counter("ferryman_texts", "Texts translated", registry=registry)
        self.characters = Counter(
            "ferryman_characters", "Characters of the texts translated", registry=registry
        )
        self.preparation = Histogram(
            "ferryman_preparation_duration_seconds",
            "Splitting and tokenising the texts of a call",
            buckets=_SECONDS,
            registry=registry,
        )


class _EngineTimes:
    """Histograms of all engines, by model."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def histogram(name: str, text: str, buckets: tuple[float, ...]) -> Histogram:
            return Histogram(
                f"ferryman_{name}", text, ["model"], buckets=buckets, registry=registry
            )

        self.queue = histogram(
            "queue_duration_seconds", "Wait of a sentence for its place in the batch", _SECONDS
        )
        self.first_token = histogram(
            "time_to_first_token_seconds", "From a sentence's arrival to its first token", _SECONDS
        )
        self.inter_token = histogram(
            "inter_token_seconds",
            "Mean time between the tokens of a sentence, after its first",
            _STEP_SECONDS,
        )
        self.decode = histogram(
            "decode_duration_seconds", "Time of a sentence in the batch", _SECONDS
        )
        self.step = histogram(
            "step_duration_seconds", "One step of a running batch, with its encoding", _STEP_SECONDS
        )
        self.target_tokens = histogram(
            "sentence_target_tokens", "Tokens of an answer's best hypothesis", _TOKENS
        )


class _EngineObserver(Observer):
    """Writes the times of one model's engine into histograms."""

    def __init__(self, times: _EngineTimes, model: str) -> None:
        self._queue = times.queue.labels(model)
        self._first_token = times.first_token.labels(model)
        self._inter_token = times.inter_token.labels(model)
        self._decode = times.decode.labels(model)
        self._step = times.step.labels(model)
        self._target_tokens = times.target_tokens.labels(model)

    def boarded(self, queue_seconds: float) -> None:
        self._queue.observe(queue_seconds)

    def began(self, first_token_seconds: float) -> None:
        self._first_token.observe(first_token_seconds)

    def stepped(self, seconds: float) -> None:
        self._step.observe(seconds)

    def completed(self, result: Result) -> None:
        self._decode.observe(result.decode_seconds)
        self._target_tokens.observe(len(result.hypotheses[0].token_log_probs))
        if result.steps > 1:
            total = result.queue_seconds + result.decode_seconds
            self._inter_token.observe((total - result.first_token_seconds) / (result.steps - 1))


def write_books(model: str, statistics: Statistics) -> None:
    """Write what became of every sentence that a closed engine was asked for, if there was one."""
    if not statistics.admitted + statistics.rejected:
        return
    names = ("admitted", "completed", "failed", "cancelled", "expired", "rejected")
    facts = {"model": model} | {name: getattr(statistics, name) for name in names}
    logging.getLogger("ferryman.server").info("books", extra={"facts": facts})
