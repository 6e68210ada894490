"""Spans of calls: their times, their parents, and none without the extra."""

from __future__ import annotations

import sys

import grpc
import pytest

from ferryman_server.call import Call
from ferryman_server.start_errors import ConfigError
from ferryman_server.tracing import NoTraces, open_traces, trace_of

PARENT = f"00-{'a' * 32}-{'b' * 16}-01"


@pytest.fixture
def exported():
    """Record a call, and get its spans by name: ``exported(call, code)``."""
    export = pytest.importorskip("opentelemetry.sdk.trace.export")
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    from ferryman_server.spans import OpenTelemetryTraces

    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(export.SimpleSpanProcessor(exporter))

    def record(call: Call, code: grpc.StatusCode):
        OpenTelemetryTraces(provider).record(call, code)
        return {span.name: span for span in exporter.get_finished_spans()}

    yield record
    provider.shutdown()


def test_a_call_is_a_span_and_its_stages_lie_in_it_one_after_the_other(exported):
    facts = {"preparation_ms": 2.0, "queue_ms": 3.0, "decode_ms": 4.0, "model": "m@1"}
    call = Call("TranslateText", traceparent=PARENT, facts=facts)
    call.started -= 0.02
    spans = exported(call, grpc.StatusCode.OK)
    root = spans["ferryman.v1/TranslateText"]
    assert f"{root.context.trace_id:032x}" == "a" * 32
    assert f"{root.parent.span_id:016x}" == "b" * 16
    assert root.attributes["ferryman.request_id"] == call.request_id
    assert root.attributes["ferryman.model"] == "m@1"
    moment = root.start_time
    for name, milliseconds in (("preparation", 2), ("queue", 3), ("decode", 4)):
        span = spans[name]
        assert span.parent.span_id == root.context.span_id
        assert (span.start_time, span.end_time - span.start_time) == (moment, milliseconds * 10**6)
        moment = span.end_time
    assert moment < root.end_time


def test_a_call_that_failed_is_an_error_with_a_trace_of_its_own(exported):
    (span,) = exported(Call("TranslateText"), grpc.StatusCode.RESOURCE_EXHAUSTED).values()
    assert span.parent is None
    assert not span.status.is_ok
    assert span.attributes["rpc.grpc.status_code"] == 8


@pytest.mark.parametrize("header", [None, "", "x", PARENT.upper(), PARENT + "0", PARENT[:-1]])
def test_what_is_no_traceparent_names_no_trace(header):
    assert trace_of(header) is None


def test_without_an_endpoint_nothing_is_imported():
    assert isinstance(open_traces(None, "1"), NoTraces)


def test_without_the_extra_the_option_is_refused_by_name(monkeypatch):
    monkeypatch.delitem(sys.modules, "ferryman_server.spans", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(ConfigError, match=r"--traces-endpoint.*ferryman\[tracing\]"):
        open_traces("http://127.0.0.1:4317", "1")
