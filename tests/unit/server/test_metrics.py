"""What is counted of calls and of engines, and that the books balance."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import urllib.request
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from ferryman.v1.translation_service_pb2 import TranslateTextRequest
from ferryman.v1.translation_service_pb2_grpc import TranslationServiceStub
from ferryman_server.config import load_config
from ferryman_server.description import Device, ServerDescription
from ferryman_server.engine import Engine, Job, OverloadedError, Search
from ferryman_server.metrics import Metrics
from ferryman_server.metrics_endpoint import metrics_endpoint
from ferryman_server.start_errors import AddressError

DASHBOARD = Path(__file__).parents[3] / "deploy" / "grafana" / "ferryman.json"


def figures(metrics: Metrics) -> dict[str, float]:
    """Every sample: ``calls_total{code=OK,method=Check}``: 1.0."""
    found = {}
    for family in metrics.registry.collect():
        for sample in family.samples:
            labels = ",".join(f"{k}={v}" for k, v in sorted(sample.labels.items()))
            name = sample.name.removeprefix("ferryman_")
            found[f"{name}{{{labels}}}" if labels else name] = sample.value
    return found


async def test_calls_are_counted_by_method_and_code(serving, engine, eventually):
    async with serving() as (server, channel):
        stub = TranslationServiceStub(channel)
        await stub.TranslateText(TranslateTextRequest(contents=["ab", "cde"]))
        with pytest.raises(grpc.aio.AioRpcError):
            await stub.TranslateText(TranslateTextRequest(contents=[]))
        engine.refusal = OverloadedError(2.5)
        with pytest.raises(grpc.aio.AioRpcError):
            await stub.TranslateText(TranslateTextRequest(contents=["a"]))
        engine.refusal, engine.holds = None, True
        with pytest.raises(grpc.aio.AioRpcError):
            await stub.TranslateText(TranslateTextRequest(contents=["a"]), timeout=0.05)
        await eventually(lambda: all(future.done() for future in engine.futures))
        call = stub.TranslateText(TranslateTextRequest(contents=["a"]))
        await eventually(lambda: not engine.futures[-1].done())
        call.cancel()
        health = health_pb2_grpc.HealthStub(channel)
        await health.Check(health_pb2.HealthCheckRequest())
        with pytest.raises(grpc.aio.AioRpcError):
            await health.Check(health_pb2.HealthCheckRequest(service="model/none"))
        await eventually(lambda: server.calls_under_way == 0)
        await eventually(
            lambda: figures(server.metrics).get("calls_under_way{method=TranslateText}") == 0
        )
        found = figures(server.metrics)
    calls = {name: value for name, value in found.items() if name.startswith("calls_total{")}
    assert calls == {
        "calls_total{code=OK,method=TranslateText}": 1,
        "calls_total{code=INVALID_ARGUMENT,method=TranslateText}": 1,
        "calls_total{code=RESOURCE_EXHAUSTED,method=TranslateText}": 1,
        "calls_total{code=DEADLINE_EXCEEDED,method=TranslateText}": 1,
        "calls_total{code=CANCELLED,method=TranslateText}": 1,
        "calls_total{code=OK,method=Check}": 1,
        "calls_total{code=NOT_FOUND,method=Check}": 1,
    }
    assert found["calls_started_total{method=TranslateText}"] == 5
    assert found["calls_started_total{method=Check}"] == 2
    assert found["refusals_total{reason=QUEUE_FULL}"] == 1
    assert found["refusals_total{reason=INVALID_FIELD}"] == 1
    assert (found["texts_total"], found["characters_total"]) == (2, 5)
    assert found["call_duration_seconds_count{method=TranslateText}"] == 5
    assert found["preparation_duration_seconds_count"] == 1


@pytest.fixture
def decoded(toy_runtime):
    """An engine with metrics, after some jobs of every outcome: ``metrics``."""
    metrics = Metrics()
    with Engine(toy_runtime, max_rows=4, observer=metrics.observer("toy@1")) as engine:
        metrics.add_engine("toy@1", engine.statistics, {"variant": "fp32"})
        jobs = [Job(source=(5,) * n, search=Search(max_tokens=6)) for n in (3, 4, 5, 6, 7, 8)]
        for future in engine.submit(jobs):
            future.result(30)
        (late,) = engine.submit([Job(source=(5, 6), search=Search(max_tokens=6), deadline=0.0)])
        with pytest.raises(Exception, match="deadline"):
            late.result(30)
        toy_runtime.failing_sources.add((7, 7, 7))
        (bad,) = engine.submit([Job(source=(7, 7, 7), search=Search(max_tokens=6))])
        with pytest.raises(Exception, match="decoding failed"):
            bad.result(30)
    return metrics


def test_the_books_of_an_engine_balance(decoded):
    found = figures(decoded)
    outcomes = {
        name: value for name, value in found.items() if name.startswith("jobs_ended_total{")
    }
    assert sum(outcomes.values()) == found["jobs_admitted_total{model=toy@1}"] == 8
    assert outcomes["jobs_ended_total{model=toy@1,outcome=completed}"] == 6
    assert outcomes["jobs_ended_total{model=toy@1,outcome=failed}"] == 1
    assert outcomes["jobs_ended_total{model=toy@1,outcome=expired}"] == 1
    assert found["queue_jobs{model=toy@1}"] == found["batch_jobs{model=toy@1}"] == 0


def test_every_completed_sentence_is_in_the_histograms(decoded):
    found = figures(decoded)
    for name in ("queue_duration", "time_to_first_token", "decode_duration"):
        assert found[f"{name}_seconds_count{{model=toy@1}}"] == 6
    assert found["sentence_target_tokens_count{model=toy@1}"] == 6
    assert (
        found["sentence_target_tokens_sum{model=toy@1}"]
        == found["generated_tokens_total{model=toy@1}"]
    )
    assert (
        found["step_duration_seconds_count{model=toy@1}"]
        == found["decode_rounds_total{model=toy@1}"]
    )
    assert found["state_bytes{model=toy@1}"] > 0
    # Whoever waited less than another has its first token no later than its answer.
    first = found["time_to_first_token_seconds_sum{model=toy@1}"]
    queue = found["queue_duration_seconds_sum{model=toy@1}"]
    decode = found["decode_duration_seconds_sum{model=toy@1}"]
    assert queue < first < queue + decode


def test_the_dashboard_asks_for_nothing_that_is_not_published(decoded):
    decoded.describe(
        ServerDescription(
            version="1",
            device=Device(
                provider="P", runtime="R", runtime_version="1", workers=1, threads_per_worker=1
            ),
            started=None,
        ),
        max_rows=4,
    )
    published = {sample.name for family in decoded.registry.collect() for sample in family.samples}
    families = {family.name for family in decoded.registry.collect()}
    published |= {f"{name}_bucket" for name in families}
    published |= {f"{name}_total" for name in families} | families
    panels = json.loads(DASHBOARD.read_text("utf-8"))["panels"]
    asked = {
        name
        for panel in panels
        for target in panel.get("targets", ())
        for name in re.findall(r"\b(?:ferryman|process)_\w+", target["expr"])
    }
    assert len(asked) > 20
    assert asked <= published


def test_prometheus_gets_the_metrics_over_http(decoded):
    config = load_config({"metrics_address": "127.0.0.1:0"})
    with (
        metrics_endpoint(decoded, config) as address,
        urllib.request.urlopen(f"http://{address}/metrics", timeout=30) as response,
    ):
        assert response.headers["Content-Type"].startswith("text/plain; version=")
        text = response.read().decode()
    assert 'ferryman_jobs_ended_total{model="toy@1",outcome="completed"} 6.0\n' in text


def test_no_metrics_are_published_where_none_are_wanted(decoded):
    with metrics_endpoint(decoded, load_config({"metrics_address": "none"})) as address:
        assert address is None


def test_a_port_that_was_asked_for_must_be_free_and_the_usual_one_need_not(decoded, monkeypatch):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with (
            pytest.raises(AddressError, match="--metrics-address"),
            metrics_endpoint(decoded, load_config({"metrics_address": address})),
        ):
            pass
        usual = load_config({}).model_copy(update={"metrics_address": address})
        object.__setattr__(usual, "__pydantic_fields_set__", set())
        with metrics_endpoint(decoded, usual) as other:
            assert other != address


async def test_the_log_has_a_line_for_a_translation_and_none_for_a_health_check(serving, caplog):
    caplog.set_level("INFO", logger="ferryman.call")
    async with serving() as (_, channel):
        await TranslationServiceStub(channel).TranslateText(
            TranslateTextRequest(contents=["secret"]),
            metadata=[("traceparent", f"00-{'a' * 32}-{'b' * 16}-01")],
        )
        await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
        await asyncio.sleep(0)
    (record,) = [record for record in caplog.records if record.name == "ferryman.call"]
    assert record.getMessage() == "TranslateText"
    assert record.facts["trace_id"] == "a" * 32
    assert record.facts["code"] == "OK"
    assert len(record.facts["request_id"]) == 32
    assert "secret" not in repr(record.facts).lower()
