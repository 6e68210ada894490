"""Traces by OpenTelemetry: a span for each call, and in it one for each stage.

Spans are made when a call has ended, of the times that were measured anyway, so a call costs
nothing more while it is answered. Only `ferryman_server.tracing` imports this, for its libraries
are those of the extra ``[tracing]``.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Final

import grpc
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, StatusCode, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from ferryman_server.call import Call

_STAGES: Final = ("preparation", "queue", "decode")
"""In the order in which a call goes through them; the facts say how long each took."""


def open_spans(endpoint: str, version: str) -> OpenTelemetryTraces:
    """Return traces that an OTLP collector gets, in batches, from a thread of their own.

    Args:
        endpoint: Of the collector, as ``http://127.0.0.1:4317``.
        version: Of ferryman.
    """
    resource = Resource.create({"service.name": "ferryman", "service.version": version})
    provider = TracerProvider(resource=resource)
    exporter = OTLPSpanExporter(endpoint=endpoint, insecure=not endpoint.startswith("https:"))
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return OpenTelemetryTraces(provider)


class OpenTelemetryTraces:
    """Makes spans of calls.

    Args:
        provider: An ``opentelemetry.sdk.trace.TracerProvider``; it sends what is left when the
            process ends.
    """

    def __init__(self, provider: TracerProvider) -> None:
        self._tracer = provider.get_tracer("ferryman")

    def record(self, call: Call, code: grpc.StatusCode) -> None:
        """Make the spans of a call that has ended just now."""
        context = TraceContextTextMapPropagator().extract(
            {"traceparent": call.traceparent} if call.traceparent else {}
        )
        ended = time.time_ns()
        started = ended - round(call.seconds * 1e9)
        span = self._tracer.start_span(
            f"ferryman.v1/{call.method}",
            context=context,
            kind=SpanKind.SERVER,
            start_time=started,
            attributes=_attributes(call, code),
        )
        if code is not grpc.StatusCode.OK:
            span.set_status(StatusCode.ERROR)
        inside = set_span_in_context(span)
        for name, length in _stages(call.facts):
            stage = self._tracer.start_span(name, context=inside, start_time=started)
            started += length
            stage.end(started)
        span.end(ended)


def _attributes(call: Call, code: grpc.StatusCode) -> dict[str, str | int | float]:
    facts = {
        f"ferryman.{name}": fact
        for name, fact in call.facts.items()
        if isinstance(fact, str | int | float)
    }
    return facts | {
        "rpc.system": "grpc",
        "rpc.method": call.method,
        "rpc.grpc.status_code": code.value[0],
        "ferryman.request_id": call.request_id,
    }


def _stages(facts: Mapping[str, object]) -> Iterator[tuple[str, int]]:
    """Yield the name of each stage that was measured, and its nanoseconds."""
    for name in _STAGES:
        milliseconds = facts.get(f"{name}_ms")
        if isinstance(milliseconds, int | float):
            yield name, round(milliseconds * 1e6)
