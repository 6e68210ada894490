"""A server with ten times the load it can carry, in a process, loaded by processes.

Its steps take a fixed time, so that the two cores of a small machine measure the server's policy
and not the load generator. All times are compared with each other.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import socket
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from ferryman.v1.translation_service_pb2 import TranslateTextRequest
from ferryman.v1.translation_service_pb2_grpc import TranslationServiceStub

STEP_SECONDS = 0.04
ROWS = 8
LETTERS = "abcdefghi"
STEPS = len(LETTERS) + 1
CAPACITY = ROWS / (STEPS * STEP_SECONDS)
"""Sentences of `LETTERS` a second."""
PROGRAM = (str(Path(__file__).with_name("changed_server.py")), str(STEP_SECONDS), "/nowhere/fault")
FLAGS = ("--workers", "1", "--max-rows", str(ROWS), "--trial-seconds", "0")


@dataclass(frozen=True)
class Size:
    """How long to load, and how exact the outcome must be on a machine that is busy otherwise."""

    seconds: float
    goodput: float
    latency_ratio: float
    refusal_seconds: float
    health_seconds: float


# A machine that runs other tests as well says little about times.
SMALL = Size(seconds=4, goodput=0.4, latency_ratio=10.0, refusal_seconds=10.0, health_seconds=5.0)
FULL = Size(seconds=20, goodput=0.9, latency_ratio=2.0, refusal_seconds=0.05, health_seconds=0.1)


@pytest.fixture
def text(tmp_path):
    file = tmp_path / "text.txt"
    file.write_text(" ".join(LETTERS) + "\n")
    return file


async def bench(address: str, text: Path, *flags: str) -> dict:
    """Load the server from a process of its own; return the figures of the one level."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "ferryman", "bench", "--server", address, "--file", str(text)),
        *("--json", "--beam", "1", *flags),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "FERRYMAN_KEY": ""},
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output
    (level,) = json.loads(output)["levels"]
    return level


async def health_times(address: str, stop: asyncio.Event) -> list[float]:
    """Ask for health until told to stop; return how long each answer took."""
    times = []
    async with grpc.aio.insecure_channel(address) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        while not stop.is_set():
            before = time.monotonic()
            answer = await health.Check(health_pb2.HealthCheckRequest(), timeout=10)
            times.append(time.monotonic() - before)
            assert answer.status == health_pb2.HealthCheckResponse.SERVING
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), 0.05)
    return times


@pytest.mark.slow
@pytest.mark.parametrize("size", [SMALL, pytest.param(FULL, marks=pytest.mark.deep)], ids=repr)
async def test_ten_times_the_load_is_refused_and_the_rest_is_as_fast_as_ever(
    serving, reversal, text, size
):
    seconds = ("--seconds", str(size.seconds))
    flags = (*FLAGS, "--max-wait-seconds", "0.2")
    with serving(reversal.bundle, *flags, program=PROGRAM) as server:
        peak = await bench(server.address, text, "--concurrency", str(ROWS + 2), *seconds)
        usual = await bench(server.address, text, "--rate", str(0.8 * CAPACITY), *seconds)
        stop = asyncio.Event()
        health = asyncio.ensure_future(health_times(server.address, stop))
        over = await bench(server.address, text, "--rate", str(10 * CAPACITY), *seconds)
        stop.set()
        times = sorted(await health)
        server.check_books()
        after = await bench(server.address, text, "--rate", str(0.5 * CAPACITY), "--seconds", "1")
        server.check_books()
        assert server.total("ferryman_jobs_rejected_total") >= over["refused"]
        assert server.end() == 0
    report = {
        "peak answers/s": peak["answers_per_second"],
        "goodput": over["answers_per_second"] / peak["answers_per_second"],
        "latency ratio": over["latency"]["p99"] / usual["latency"]["p99"],
        "refusal p99": over["refusal"]["p99"],
        "health p99": times[int(0.99 * (len(times) - 1))],
        "codes": over["codes"],
    }
    sys.stdout.write(f"{report}\n")
    assert set(over["codes"]) == {"OK", "RESOURCE_EXHAUSTED"}, report
    assert over["refused"] > 5 * over["answered"], report
    assert report["goodput"] >= size.goodput, report
    assert report["latency ratio"] < size.latency_ratio, report
    assert report["refusal p99"] < size.refusal_seconds, report
    if size is FULL:
        assert over["refusal"]["p50"] < usual["latency"]["p50"] / 2, "a refusal costs no waiting"
    assert report["health p99"] < size.health_seconds, report
    assert set(after["codes"]) == {"OK"}, after


@pytest.mark.parametrize("calls", [300, pytest.param(3000, marks=pytest.mark.deep)])
async def test_a_storm_of_deadlines_costs_no_more_than_a_step_each(serving, reversal, seed, calls):
    texts = " ".join(LETTERS)
    with serving(reversal.bundle, *FLAGS, program=PROGRAM) as server:
        async with grpc.aio.insecure_channel(server.address) as channel:
            stub = TranslationServiceStub(channel)
            request = TranslateTextRequest(contents=[texts])
            request.decoding.beam_size = 1
            codes = []

            async def call(number: int) -> None:
                await asyncio.sleep(number * 0.002)
                try:
                    await stub.TranslateText(request, timeout=(1 + (number * 37) % 100) / 1000)
                except grpc.aio.AioRpcError as error:
                    codes.append(error.code())

            await asyncio.gather(*(call(number) for number in range(calls)))
            # No sentence of ten steps of 40 ms can be done in 100 ms.
            assert codes == [grpc.StatusCode.DEADLINE_EXCEEDED] * calls
            steps = server.total("ferryman_decode_steps_total")
            server.check_books(seconds=10)
            # What was in the batch had expired: one step more, and it is empty.
            assert server.total("ferryman_decode_steps_total") - steps <= 4
            before = time.monotonic()
            response = await stub.TranslateText(request, timeout=30)
            assert time.monotonic() - before < 5 * STEPS * STEP_SECONDS
        assert response.translations[0].hypotheses[0].translated_text == texts[::-1]
        # Rows of nobody are never decoded: each call had at most as many steps as its deadline.
        rows = server.total("ferryman_decoded_rows_total")
        admitted = server.total("ferryman_jobs_admitted_total")
        assert rows <= admitted * (1 + 0.1 / STEP_SECONDS) + STEPS


async def test_a_flood_does_not_starve_another_client(serving, reversal, text, ferryman, tmp_path):
    keys = tmp_path / "keys.json"
    names = ("flood", "polite")
    flood, polite = (ferryman("keys", "add", str(keys), n).stdout.strip() for n in names)
    flags = (*FLAGS, "--keys-file", str(keys), "--max-queued-tokens", "1024")
    flags = (*flags, "--probe-address", "127.0.0.1:0")
    with serving(reversal.bundle, *flags, program=PROGRAM) as server:
        async with grpc.aio.insecure_channel(server.address) as channel:
            stub = TranslationServiceStub(channel)
            request = TranslateTextRequest(contents=[" ".join(LETTERS)])
            request.decoding.beam_size = 1

            async def call(key: str) -> tuple[grpc.StatusCode, float]:
                before = time.monotonic()
                try:
                    await stub.TranslateText(
                        request, metadata=[("authorization", f"Bearer {key}")], timeout=60
                    )
                except grpc.aio.AioRpcError as error:
                    return error.code(), time.monotonic() - before
                return grpc.StatusCode.OK, time.monotonic() - before

            flooding = [asyncio.ensure_future(call(flood)) for _ in range(150)]
            await asyncio.sleep(4 * STEP_SECONDS)
            calls = [await call(polite) for _ in range(3)]
            flooded = await asyncio.gather(*flooding)
        server.check_books()
    codes = {code for code, _ in flooded}
    assert codes == {grpc.StatusCode.OK, grpc.StatusCode.RESOURCE_EXHAUSTED}
    assert {code for code, _ in calls} == {grpc.StatusCode.OK}
    slowest = max(seconds for code, seconds in flooded if code is grpc.StatusCode.OK)
    # The first waits for a row of the batch at most, the flood for all of itself.
    assert max(seconds for _, seconds in calls) < slowest / 2
    assert re.search(r"code=RESOURCE_EXHAUSTED client=flood .*reason=QUOTA_EXCEEDED", server.log)
    assert flood not in server.log


def descriptors(process) -> int:
    return len(list(Path(f"/proc/{process.pid}/fd").iterdir()))


async def test_half_open_connections_are_let_go_and_good_calls_go_on(serving, reversal):
    flags = ("--handshake-seconds", "1", "--idle-seconds", "2", "--keepalive-seconds", "1")
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    settings = b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"
    with serving(reversal.bundle, *flags, "--trial-seconds", "0") as server:
        host, _, port = server.address.rpartition(":")
        before = descriptors(server.process)
        opened = []
        for number in range(300):
            connection = socket.create_connection((host, int(port)), timeout=10)
            connection.sendall([b"", preface[:10], preface + settings][number % 3])
            opened.append(connection)
        assert descriptors(server.process) > before + 200
        give_up = time.monotonic() + 30
        while descriptors(server.process) > before + 2:
            assert time.monotonic() < give_up, "connections that say nothing are kept"
            async with grpc.aio.insecure_channel(server.address) as channel:
                response = await TranslationServiceStub(channel).TranslateText(
                    TranslateTextRequest(contents=["a b c"]), timeout=10
                )
                assert response.translations[0].hypotheses[0].translated_text == "c b a"
            await asyncio.sleep(0.05)
        for connection in opened:
            connection.close()
        assert server.end() == 0
        assert "Traceback" not in server.log
