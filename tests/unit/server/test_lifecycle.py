"""From SERVING to the end: signals to this process, and an engine that fails."""

from __future__ import annotations

import asyncio
import os
import signal
import threading

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from ferryman.v1.translation_service_pb2 import TranslateTextRequest
from ferryman.v1.translation_service_pb2_grpc import TranslationServiceStub
from ferryman_server.lifecycle import End, caught_signals, serve_until_end

NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


async def under_way(server, calls: int) -> None:
    async with asyncio.timeout(10):
        while server.calls_under_way != calls:
            await asyncio.sleep(0.002)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_lets_calls_finish_and_ends_with_0(serving, engine, number):
    engine.holds = True
    async with caught_signals() as signals, serving() as (server, channel):
        end = asyncio.ensure_future(serve_until_end(server, engine, signals, drain_seconds=30))
        call = asyncio.ensure_future(
            TranslationServiceStub(channel).TranslateText(TranslateTextRequest(contents=["a"]))
        )
        await under_way(server, 1)
        os.kill(os.getpid(), number)
        watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
        async for answer in watch:
            if answer.status == NOT_SERVING:
                break
        assert not end.done()
        engine.release()
        assert (await call).translations[0].hypotheses[0].translated_text == "A"
        watch.cancel()
        assert await end is End.STOPPED
    assert End.STOPPED.exit_code == 0


async def test_calls_that_take_too_long_are_cut_off(serving, engine):
    engine.holds = True
    async with caught_signals() as signals, serving() as (server, channel):
        end = asyncio.ensure_future(serve_until_end(server, engine, signals, drain_seconds=0.05))
        call = TranslationServiceStub(channel).TranslateText(TranslateTextRequest(contents=["a"]))
        await under_way(server, 1)
        os.kill(os.getpid(), signal.SIGTERM)
        assert await end is End.CUT_OFF
        with pytest.raises(grpc.aio.AioRpcError):
            await call


async def test_a_second_signal_does_not_wait_for_calls(serving, engine):
    engine.holds = True
    async with caught_signals() as signals, serving() as (server, channel):
        end = asyncio.ensure_future(serve_until_end(server, engine, signals, drain_seconds=600))
        held = asyncio.ensure_future(
            TranslationServiceStub(channel).TranslateText(TranslateTextRequest(contents=["a"]))
        )
        await under_way(server, 1)
        os.kill(os.getpid(), signal.SIGTERM)
        health = health_pb2_grpc.HealthStub(channel)
        async with asyncio.timeout(10):
            while (await health.Check(health_pb2.HealthCheckRequest())).status != NOT_SERVING:
                await asyncio.sleep(0.002)
        os.kill(os.getpid(), signal.SIGTERM)
        assert await end is End.CUT_OFF
    with pytest.raises((grpc.aio.AioRpcError, asyncio.CancelledError)):
        await held


async def test_a_failed_engine_ends_the_server(serving, engine):
    async with caught_signals() as signals, serving() as (server, channel):
        end = asyncio.ensure_future(serve_until_end(server, engine, signals, drain_seconds=30))
        watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVING
        threading.Thread(target=engine.die, args=[RuntimeError("the device is gone")]).start()
        async with asyncio.timeout(1):
            assert (await watch.read()).status == NOT_SERVING
        watch.cancel()
        assert await end is End.ENGINE_FAILED
    assert End.ENGINE_FAILED.exit_code == 1
