"""An engine that fails, and signals under load, as the operating system sees them."""

from __future__ import annotations

import asyncio
import re
import time
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from ferryman.v1.translation_service_pb2 import TranslateTextRequest
from ferryman.v1.translation_service_pb2_grpc import TranslationServiceStub

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
FLAGS = ("--workers", "1", "--trial-seconds", "0")


@pytest.fixture
def fault(tmp_path):
    """A file that says how steps fail, once it is written."""
    return tmp_path / "fault"


def program(fault: Path, *, step_seconds: float = 0.0) -> tuple[str, str, str]:
    return (str(Path(__file__).with_name("changed_server.py")), str(step_seconds), str(fault))


async def translate(channel: grpc.aio.Channel) -> str:
    response = await TranslationServiceStub(channel).TranslateText(
        TranslateTextRequest(contents=["a b c d"]), timeout=60
    )
    return response.translations[0].hypotheses[0].translated_text


async def test_a_step_that_fails_ends_its_batch_and_nothing_else(serving, reversal, fault):
    with serving(reversal.bundle, *FLAGS, program=program(fault)) as server:
        async with grpc.aio.insecure_channel(server.address) as channel:
            assert await translate(channel) == "d c b a"
            fault.write_text("once")
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await translate(channel)
            assert caught.value.code() is grpc.StatusCode.INTERNAL
            assert "device" not in caught.value.details()
            assert await translate(channel) == "d c b a"
            health = health_pb2_grpc.HealthStub(channel)
            assert (await health.Check(health_pb2.HealthCheckRequest())).status == SERVING
        server.check_books()
        assert server.total("ferryman_jobs_ended_total") == 3
        assert server.end() == 0


@pytest.mark.parametrize("kind", ["always", "stuck"])
async def test_an_engine_that_fails_for_good_is_not_serving_at_once_and_ends_with_1(
    serving, reversal, fault, kind
):
    flags = (*FLAGS, "--max-step-seconds", "1")
    with serving(reversal.bundle, *flags, program=program(fault)) as server:
        async with grpc.aio.insecure_channel(server.address) as channel:
            assert await translate(channel) == "d c b a"
            watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
            assert (await watch.read()).status == SERVING
            fault.write_text(kind)
            failures = [asyncio.ensure_future(translate(channel)) for _ in range(2)]
            for failure in failures:
                with pytest.raises(grpc.aio.AioRpcError):
                    await failure
            if kind == "always":  # two batches in a row: the second one is a fault of the model
                with pytest.raises(grpc.aio.AioRpcError):
                    await translate(channel)
            failed = time.monotonic()
            assert (await watch.read()).status == NOT_SERVING
            assert time.monotonic() - failed < 1
            watch.cancel()
        assert await asyncio.to_thread(server.process.wait, 10) == 1
        assert time.monotonic() - failed < 5
    assert "the engine failed" in server.log


@pytest.mark.parametrize("times", [1, pytest.param(20, marks=pytest.mark.deep)])
async def test_a_signal_loses_nothing_that_was_accepted_however_often(
    serving, reversal, fault, times
):
    for _ in range(times):
        with serving(reversal.bundle, *FLAGS, program=program(fault, step_seconds=0.01)) as server:
            outcomes: list[tuple[str, grpc.StatusCode]] = []

            async def call(stub, name: str) -> None:
                request = TranslateTextRequest(contents=["a b c d e f"], request_id=name)
                try:
                    response = await stub.TranslateText(request, timeout=60)
                except grpc.aio.AioRpcError as error:
                    outcomes.append((name, error.code()))  # noqa: B023  # awaited in this turn
                else:
                    assert response.translations[0].hypotheses[0].translated_text == "f e d c b a"
                    outcomes.append((name, grpc.StatusCode.OK))  # noqa: B023

            async with grpc.aio.insecure_channel(server.address) as channel:
                stub = TranslationServiceStub(channel)
                calls = [asyncio.ensure_future(call(stub, f"before-{n}")) for n in range(40)]
                await asyncio.to_thread(server.wait_for, "request_id=before-")
                ending = asyncio.ensure_future(asyncio.to_thread(server.end))
                await asyncio.to_thread(server.wait_for, "draining")
                calls += [asyncio.ensure_future(call(stub, f"late-{n}")) for n in range(10)]
                await asyncio.gather(*calls)
            assert await ending == 0, server.log
            codes = dict(outcomes)
            assert {codes[f"late-{n}"] for n in range(10)} == {grpc.StatusCode.UNAVAILABLE}
            accepted = set(re.findall(r"request_id=(before-\d+) code=OK", server.log))
            received = {n for n, code in codes.items() if code is grpc.StatusCode.OK}
            assert accepted == received
            early = {code for name, code in codes.items() if name.startswith("before")}
            assert early <= {grpc.StatusCode.OK, grpc.StatusCode.UNAVAILABLE}
            assert "Traceback" not in server.log
