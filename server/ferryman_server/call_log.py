"""What is written of a call: one line in the log when it ends, and its counts in the metrics.

Neither has a text, a translation or a key in it.
"""

from __future__ import annotations

import logging

import grpc

from ferryman_server.call import Call
from ferryman_server.metrics import Metrics
from ferryman_server.tracing import Traces, trace_of

_log = logging.getLogger("ferryman.call")


class CallLog:
    """Keeps the books of calls.

    Args:
        metrics: Where they are counted.
        traces: Where their spans go.
    """

    def __init__(self, metrics: Metrics, traces: Traces) -> None:
        self._metrics = metrics.calls
        self._traces = traces

    def began(self, call: Call) -> None:
        """A call has arrived; `ended` must follow."""
        self._metrics.started.labels(call.method).inc()
        self._metrics.under_way.labels(call.method).inc()

    def ended(self, call: Call, code: grpc.StatusCode, error: Exception | None = None) -> None:
        """A call has its status.

        Args:
            call: With the facts that the line is to have.
            code: Its status.
            error: The fault of ours that it failed of; the line then has its traceback.
        """
        self._count(call, code)
        if call.is_routine and error is None:
            return
        self._traces.record(call, code)
        if (trace := trace_of(call.traceparent)) is not None:
            call.facts["trace_id"] = trace
        facts = {
            "request_id": call.request_id,
            "code": code.name,
            "client": call.client,
            "milliseconds": round(call.seconds * 1000, 1),
            **call.facts,
        }
        level = logging.INFO if error is None else logging.ERROR
        _log.log(level, "%s", call.method, exc_info=error, extra={"facts": facts})

    def _count(self, call: Call, code: grpc.StatusCode) -> None:
        metrics = self._metrics
        metrics.under_way.labels(call.method).dec()
        metrics.ended.labels(call.method, code.name).inc()
        metrics.seconds.labels(call.method).observe(call.seconds)
        if code is not grpc.StatusCode.OK:
            metrics.refusals.labels(str(call.facts.get("reason", code.name))).inc()
        elif isinstance(characters := call.facts.get("characters"), int):
            metrics.characters.inc(characters)
            metrics.texts.inc(_number(call.facts.get("texts")))
            metrics.preparation.observe(_number(call.facts.get("preparation_ms")) / 1000)


def _number(fact: object) -> float:
    return fact if isinstance(fact, int | float) else 0
