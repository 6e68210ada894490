"""The counters of engines as Prometheus reads them: one reading of each, at one moment."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ferryman_server.engine import Statistics

_COUNTERS: Final = {
    "jobs_admitted": ("admitted", "Sentences that were let into the queue"),
    "jobs_rejected": ("rejected", "Sentences that were refused because the queue was full"),
    "source_tokens": ("source_tokens", "Source tokens of the admitted sentences"),
    "generated_tokens": ("tokens", "Tokens of the best hypotheses of completed sentences"),
    "decode_rounds": ("rounds", "Passes of a worker over its running batches"),
    "decode_steps": ("steps", "Runs of the step graph"),
    "decoded_rows": ("rows", "Hypotheses advanced by one token, over all steps"),
    "ragged_admissions": ("ragged_admissions", "Sentences that joined a batch under way"),
    "state_copied_bytes": ("bytes_copied", "State moved: beams, closing gaps, longer buffers"),
}
_GAUGES: Final = {
    "queue_jobs": ("queued", "Sentences that wait for a place in a running batch"),
    "queue_tokens": ("queued_tokens", "Source tokens of the waiting sentences"),
    "queue_estimated_wait_seconds": (
        "estimated_wait",
        "Until what waits now has left the queue; the signal to scale by",
    ),
    "batch_jobs": ("running", "Sentences in running batches"),
    "batch_rows": ("running_rows", "Hypotheses in running batches"),
    "batch_occupancy_ratio": ("occupancy", "Mean share of the rows in use, over all rounds"),
    "batch_occupancy_under_load_ratio": (
        "occupancy_waiting",
        "The same over the rounds at whose start sentences were waiting",
    ),
    "state_bytes": ("state_bytes", "Memory of decoder state: caches and encoder outputs"),
}
_OUTCOMES: Final = ("completed", "failed", "cancelled", "expired")


class EngineCollector(Collector):
    """Reads the statistics of all engines whenever somebody asks."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._engines: dict[str, tuple[Callable[[], Statistics], dict[str, str]]] = {}

    def add(self, model: str, statistics: Callable[[], Statistics], facts: dict[str, str]) -> None:
        """Begin to read an engine."""
        with self._lock:
            self._engines[model] = (statistics, facts)

    def remove(self, model: str) -> None:
        """Read an engine no more."""
        with self._lock:
            self._engines.pop(model, None)

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics of all engines."""
        with self._lock:
            engines = list(self._engines.items())
        readings = [(model, read()) for model, (read, _) in engines]
        for name, (field, text) in _COUNTERS.items():
            counter = CounterMetricFamily(f"ferryman_{name}", text, labels=["model"])
            for model, statistics in readings:
                counter.add_metric([model], getattr(statistics, field))
            yield counter
        for name, (field, text) in _GAUGES.items():
            gauge = GaugeMetricFamily(f"ferryman_{name}", text, labels=["model"])
            for model, statistics in readings:
                gauge.add_metric([model], getattr(statistics, field))
            yield gauge
        ended = CounterMetricFamily(
            "ferryman_jobs_ended", "Sentences by how they ended", labels=["model", "outcome"]
        )
        for model, statistics in readings:
            for outcome in _OUTCOMES:
                ended.add_metric([model, outcome], getattr(statistics, outcome))
        yield ended
        yield self._info([(model, facts) for model, (_, facts) in engines])

    @staticmethod
    def _info(models: list[tuple[str, dict[str, str]]]) -> Metric:
        names = sorted({name for _, facts in models for name in facts})
        info = GaugeMetricFamily(
            "ferryman_model_info", "What a model is; always 1", labels=["model", *names]
        )
        for model, facts in models:
            info.add_metric([model, *(facts.get(name, "") for name in names)], 1)
        return info
