"""A real gRPC server on the loopback address: load, deadlines, cancelling, draining, health."""

from __future__ import annotations

import asyncio
import socket

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from ferryman.v1.translation_service_pb2 import TranslateTextRequest
from ferryman.v1.translation_service_pb2_grpc import TranslationServiceStub
from ferryman_server.engine import OverloadedError
from ferryman_server.limits import ConnectionLimits
from ferryman_server.start_errors import AddressError

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


async def test_a_full_queue_is_told_with_the_wait(serving, engine, fails):
    engine.refusal = OverloadedError(2.5)
    async with serving() as (_, channel):
        call = TranslationServiceStub(channel).TranslateText(TranslateTextRequest(contents=["a"]))
        details = await fails(call, grpc.StatusCode.RESOURCE_EXHAUSTED)
    assert details["RetryInfo"].retry_delay.ToMilliseconds() == 2500
    assert details["ErrorInfo"].reason == "QUEUE_FULL"


async def test_too_many_calls_are_refused_and_health_still_answers(
    serving, engine, fails, eventually
):
    engine.holds = True
    async with serving(max_concurrent_calls=2) as (server, channel):
        stub = TranslationServiceStub(channel)
        held = [stub.TranslateText(TranslateTextRequest(contents=["a"])) for _ in range(2)]
        await eventually(lambda: len(engine.futures) == 2)
        details = await fails(
            stub.TranslateText(TranslateTextRequest(contents=["b"])),
            grpc.StatusCode.RESOURCE_EXHAUSTED,
        )
        assert details["RetryInfo"].retry_delay.ToMilliseconds() >= 100
        health = health_pb2_grpc.HealthStub(channel)
        assert (await health.Check(health_pb2.HealthCheckRequest())).status == SERVING
        engine.release()
        assert [(await call).translations[0].hypotheses[0].translated_text for call in held] == [
            "A",
            "A",
        ]
        await eventually(lambda: server.calls_under_way == 0)


async def test_a_deadline_frees_the_engine(serving, engine, fails, eventually):
    engine.holds = True
    async with serving() as (server, channel):
        call = TranslationServiceStub(channel).TranslateText(
            TranslateTextRequest(contents=["One. Two."]), timeout=0.3
        )
        await fails(call, grpc.StatusCode.DEADLINE_EXCEEDED)
        await eventually(lambda: all(f.cancelled() for f in engine.futures))
        assert len(engine.futures) == 2
        assert all(job.deadline is not None for job in engine.jobs)
        await eventually(lambda: server.calls_under_way == 0)


async def test_a_client_that_cancels_frees_the_engine(serving, engine, eventually):
    engine.holds = True
    async with serving() as (server, channel):
        call = TranslationServiceStub(channel).TranslateText(
            TranslateTextRequest(contents=["One. Two."])
        )
        await eventually(lambda: len(engine.futures) == 2)
        call.cancel()
        await eventually(lambda: all(f.cancelled() for f in engine.futures))
        await eventually(lambda: server.calls_under_way == 0)


async def test_a_client_that_vanishes_frees_the_engine(serving, engine, eventually):
    engine.holds = True
    async with serving() as (server, _):
        async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as other:
            task = asyncio.ensure_future(
                TranslationServiceStub(other).TranslateText(TranslateTextRequest(contents=["One."]))
            )
            await eventually(lambda: len(engine.futures) == 1)
        with pytest.raises((grpc.aio.AioRpcError, asyncio.CancelledError, grpc.aio.UsageError)):
            await task
        await eventually(lambda: all(f.cancelled() for f in engine.futures))


async def test_draining_says_so_first_refuses_the_new_and_finishes_the_old(
    serving, engine, fails, eventually
):
    engine.holds = True
    async with serving() as (server, channel):
        stub = TranslationServiceStub(channel)
        health = health_pb2_grpc.HealthStub(channel)
        watch = health.Watch(health_pb2.HealthCheckRequest())
        assert (await watch.read()).status == SERVING
        held = asyncio.ensure_future(stub.TranslateText(TranslateTextRequest(contents=["a"])))
        await eventually(lambda: len(engine.futures) == 1)

        draining = asyncio.ensure_future(server.drain(30))
        assert (await watch.read()).status == NOT_SERVING
        for name in ("", "ferryman.v1.TranslationService", "model/letters"):
            answer = await health.Check(health_pb2.HealthCheckRequest(service=name))
            assert answer.status == NOT_SERVING
        details = await fails(
            stub.TranslateText(TranslateTextRequest(contents=["b"])), grpc.StatusCode.UNAVAILABLE
        )
        assert details["ErrorInfo"].reason == "SERVER_DRAINING"
        assert "RetryInfo" in details
        assert not draining.done()

        engine.release()
        assert (await held).translations[0].hypotheses[0].translated_text == "A"
        assert await draining
        watch.cancel()


async def test_draining_ends_at_its_limit(serving, engine, fails, eventually):
    engine.holds = True
    async with serving() as (server, channel):
        call = TranslationServiceStub(channel).TranslateText(TranslateTextRequest(contents=["a"]))
        held = asyncio.ensure_future(fails(call, grpc.StatusCode.UNAVAILABLE))
        await eventually(lambda: len(engine.futures) == 1)
        assert not await server.drain(0.05)
        await held
        assert engine.futures[0].cancelled()


@pytest.mark.parametrize("name", ["", "ferryman.v1.TranslationService", "model/letters"])
async def test_health_knows_the_server_its_service_and_its_model(serving, name):
    async with serving() as (_, channel):
        health = health_pb2_grpc.HealthStub(channel)
        answer = await health.Check(health_pb2.HealthCheckRequest(service=name))
    assert answer.status == SERVING


async def test_health_of_a_stranger_is_not_found(serving, fails):
    async with serving() as (_, channel):
        health = health_pb2_grpc.HealthStub(channel)
        call = health.Check(health_pb2.HealthCheckRequest(service="model/none"))
        await fails(call, grpc.StatusCode.NOT_FOUND)


async def test_an_address_in_use_is_a_clear_error(serving, model):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(AddressError, match=address):
            async with serving(address=address):
                pass


async def test_connections_that_say_nothing_are_let_go(serving):
    impatient = ConnectionLimits(handshake_seconds=0.5, idle_seconds=1.0)
    async with serving(connections=impatient) as (server, channel):
        silent = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(20)]
        for _, writer in silent[:10]:
            writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")
        async with asyncio.timeout(10):
            for reader, writer in silent:
                while await reader.read(4096):
                    pass
                writer.close()
        response = await TranslationServiceStub(channel).TranslateText(
            TranslateTextRequest(contents=["a"])
        )
    assert response.translations[0].hypotheses[0].translated_text == "A"
